"""Templates are compiled to faster code than Jinja's own, and render the same."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from jinja2 import DictLoader, Environment, StrictUndefined, UndefinedError
from markupsafe import Markup

from signalbox.webapp.views.text import clean
from tests.support.rendering import FRAGMENTS

ENVIRONMENT = FRAGMENTS._environment
OTHERS = {
    "base.html": "<main>{% block main %}base {{ value }}{% endblock %}</main>",
    "macros.html": "{% macro bold(text, after='.') %}<b>{{ text }}</b>{{ after }}{% endmacro %}",
}
VALUES: dict[str, Any] = {
    "value": "<a href='x'>\"&\x07\u202e",
    "markup": Markup("<i>{}</i>").format("<"),
    "number": 7,
    "nothing": None,
    "items": ["<", 1, Markup("&lt;")],
    "mapping": {"get": 1, "key": "<", "call": str.upper},
    "thing": SimpleNamespace(name="<", twice=lambda text, *more, end="": text * 2 + "".join(more) + end),
    "join": lambda *texts, **named: "|".join([*texts, *map("=".join, named.items())]),
}
SOURCES = {
    "values": "{{ value }} {{ markup }} {{ number }} {{ nothing }} {{ items }} {{ 'a<b' }} {{ value ~ markup }}",
    "calls": "{{ thing.twice(value) }}{{ thing.twice('a', '<', end='!') }}{{ join(*items[2:], **{'class': '<'}) }}",
    "attributes": "{{ thing.name }}{{ mapping.key }}{{ mapping['get'] }}"
    "{{ mapping.get('key') }}{{ mapping.call('<') }}",
    "filters": "{{ value|upper }}{{ items|join(', ') }}{{ value|safe }}{{ markup|replace('<', '>') }}",
    "loops": "{% for item in items if item %}{{ loop.index }}{{ join(item|string) }}"
    "{{ loop.cycle('a', 'b') }}{% endfor %}",
    "blocks": "{% set text %}<u>{{ value }}</u>{% endset %}{{ text }}{% filter upper %}{{ value }}{% endfilter %}",
    "macros": "{% from 'macros.html' import bold %}{{ bold(value) }}{{ bold(markup, '<') }}{{ bold(text=number) }}"
    "{% import 'macros.html' as all %}{{ all.bold('a', after=value) }}",
    "arguments of macros": "{% macro m(a, b=1) %}{{ a }}{{ b }}{{ varargs }}{{ kwargs }}{% endmacro %}"
    "{{ m('<') }}{{ m('<', 2, 3, c='<') }}",
    "callers": "{% macro m(a) %}<p>{{ caller(a) }}</p>{% endmacro %}"
    "{% call(x) m(value) %}{{ x }}{{ number }}{% endcall %}",
    "inheritance": "{% extends 'base.html' %}{% block main %}{{ super() }}{{ self.title()|striptags }}{% endblock %}"
    "{% block title %}<h1>{{ join(value) }}</h1>{% endblock %}",
}


def environment(kind: type[Environment]) -> Environment:
    return kind(
        loader=DictLoader(OTHERS | SOURCES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: clean(value) if type(value) is str else value,
    )


@pytest.mark.parametrize("name", SOURCES)
def test_a_template_renders_what_jinja_renders(name: str) -> None:
    ours, jinjas = (environment(kind).get_template(name).render(VALUES) for kind in (type(ENVIRONMENT), Environment))
    assert ours == jinjas


@pytest.mark.parametrize(
    "source", ["{{ nowhere }}", "{{ nowhere() }}", "{{ mapping.nowhere }}", "{{ thing.no.where }}"]
)
def test_a_name_that_does_not_exist_is_an_error(source: str) -> None:
    with pytest.raises(UndefinedError):
        environment(type(ENVIRONMENT)).from_string(source).render(VALUES)


def test_a_macro_refuses_arguments_that_it_does_not_take() -> None:
    macro = vars(environment(type(ENVIRONMENT)).get_template("macros.html").module)["bold"]
    with pytest.raises(TypeError):
        macro("a", "b", "c")


def test_no_function_of_the_templates_takes_the_context() -> None:
    # The compiled code would call it without the context.
    takes_context = [name for name, value in ENVIRONMENT.globals.items() if hasattr(value, "jinja_pass_arg")]
    assert takes_context == []
