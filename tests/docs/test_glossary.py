"""The texts that people read use the words of the glossary, and none of the words that it replaces."""

from __future__ import annotations

import ast
import html
import re
from collections.abc import Callable, Iterator

import pytest

from tests.support.paths import ROOT

GLOSSARY = ROOT / "docs" / "glossary.md"

_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.S)
_COMMENT = re.compile(r"\{#.*?#\}|<!--.*?-->", re.S)
_LITERAL = re.compile(r'"([^"\n]*)"|\'([^\'\n]*)\'')
_READ_ATTRIBUTE = re.compile(r'\b(?:title|aria-label|placeholder|alt|data-key-label)="([^"]*)"')
_TAG = re.compile(r"<[^<>]*>")
_JS_COMMENT = re.compile(r"/\*.*?\*/|(?<!:)//[^\n]*", re.S)
_PLACEHOLDER = re.compile(r"\$\{[^}]*\}")
_JS_TEXT = re.compile(r"`([^`]*)`|'([^'\n]*)'|\"([^\"\n]*)\"")


def replaced_words() -> list[str]:
    """Return the words in the last column of the glossary."""
    rows = re.findall(r"^\| (?!word|---)[^|]+\|[^|]+\|([^|]*)\|$", GLOSSARY.read_text(), re.M)
    return [word.strip() for row in rows for word in row.split(";") if word.strip()]


def texts_of_template(source: str) -> Iterator[str]:
    """Yield the texts of a template: between tags, in attributes that people read, and in its expressions."""
    source = _COMMENT.sub(" ", source)
    for code in _JINJA.findall(source):
        yield from (first or second for first, second in _LITERAL.findall(code) if _is_prose(first or second))
    plain = _JINJA.sub("…", source)
    yield from _READ_ATTRIBUTE.findall(plain)
    yield from (html.unescape(text) for text in _TAG.split(plain))


def texts_of_script(source: str) -> Iterator[str]:
    """Yield the strings of a page module that read as words."""
    for found in _JS_TEXT.findall(_JS_COMMENT.sub(" ", source)):
        yield from (_PLACEHOLDER.sub("…", text) for text in found if _is_prose(text))


def texts_of_module(source: str) -> Iterator[str]:
    """Yield the strings of a Python module that read as words, without docstrings; a value in one is "…"."""
    tree = ast.parse(source)
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped.update(id(part) for part in node.values)
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            text = node.value
        else:
            continue
        if _is_prose(text):
            yield _TAG.sub(" ", text)


def _is_prose(text: str) -> bool:
    """Whether a string is for people: it has several words, or begins with a capital letter."""
    return " " in text.strip() or text[:1].isupper()


SOURCES = {
    "templates": ("webapp/templates/**/*.html", texts_of_template),
    "page modules": ("webapp/static/js/*.js", texts_of_script),
    "messages": ("webapp/**/*.py", texts_of_module),
}


@pytest.mark.long
@pytest.mark.parametrize(("pattern", "texts_of"), SOURCES.values(), ids=SOURCES)
def test_no_text_has_a_word_that_the_glossary_replaces(pattern: str, texts_of: Callable[[str], Iterator[str]]) -> None:
    words = "|".join(re.escape(word) for word in replaced_words())
    wrong = re.compile(rf"(?<![\w/.-])({words})(?![\w/-])", re.I)
    found = [
        f"{path.relative_to(ROOT)}: {hit[1]!r} in {text.strip()[:80]!r}"
        for path in sorted(ROOT.glob(pattern))
        for text in texts_of(path.read_text())
        if (hit := wrong.search(text))
    ]
    assert found == []


def test_the_texts_of_a_page_are_found() -> None:
    template = (
        '{# begun #}<p class="took" title="Begun at">{{ "not there" if x == "took" else took }} Said {{ said }}'
        '</p><a href="/audits">Audits</a>'
    )
    assert [text for text in texts_of_template(template) if text.strip(" …")] == [
        *("not there", "Begun at", "… Said …", "Audits")
    ]
    assert list(texts_of_script("// begun\nshow('took', 'It took', `Begun at ${at}`);")) == [
        *("It took", "Begun at …"),
    ]
    assert list(texts_of_module('"""Begun."""\nx = f"begun {x}"\ny = "took"')) == ["begun …"]


def test_the_glossary_replaces_words() -> None:
    assert {"begun", "audits", "sign of life", "bring back"} <= set(replaced_words())
