"""Keeps what each app compiles, templates and routes, so that all apps of a process compile it once."""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType
from typing import Any

from jinja2 import Environment
from werkzeug.routing import Rule

_templates: dict[tuple[str, str | None], CodeType] = {}
_compile_template = Environment.compile

_builders: dict[tuple[object, ...], Callable[..., tuple[str, str]]] = {}
_compile_builder = Rule._compile_builder


def keep_compilations() -> None:
    """Let the apps of this process share compiled templates and routes."""
    Environment.compile = _kept_template
    Rule._compile_builder = _kept_builder  # type: ignore[method-assign]


def _kept_template(self: Environment, source: str, name: str | None = None, *more: Any) -> CodeType:
    key = (source, name)
    if key not in _templates:
        _templates[key] = _compile_template(self, source, name, *more)
    return _templates[key]


def _kept_builder(self: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
    """Return the function that writes the rule's URL. It gets the rule as an argument, so equal rules can share it."""
    if self.defaults:
        return _compile_builder(self, append_unknown)
    key = (self.rule, append_unknown, *self._trace)
    if key not in _builders:
        _builders[key] = _compile_builder(self, append_unknown)
    return _builders[key]
