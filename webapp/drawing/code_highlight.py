"""Colours for source code, if Pygments is installed: `pip install signalbox-console[highlight]`."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from markupsafe import Markup, escape

try:
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound
except ImportError:  # pragma: no cover
    get_lexer_by_name = None

MAX_CHARS = 20_000
"""Characters of one block that are coloured. A longer block is plain."""

LANGUAGES = frozenset(
    (
        *("bash", "c", "c++", "cpp", "css", "go", "html", "java", "javascript", "js", "json", "jsx", "kotlin"),
        *("py", "python", "python3", "rb", "rs", "ruby", "rust", "sh", "shell", "sql", "toml", "ts", "tsx"),
        *("typescript", "xml", "yaml", "yml", "zsh"),
    )
)
"""The languages that are coloured. A run cannot choose among all lexers, because some are slow for bad input."""

# The classes are those of the terminal's colours, which every page has.
_CLASSES = (
    ("Token.Comment", "dim italic"),
    ("Token.Keyword", "f4"),
    ("Token.Literal.String", "f2"),
    ("Token.Literal.Number", "f5"),
    ("Token.Name.Builtin", "f6"),
    ("Token.Name.Class", "bold"),
    ("Token.Name.Decorator", "f3"),
    ("Token.Name.Function", "bold"),
    ("Token.Name.Tag", "f4"),
    ("Token.Name.Attribute", "f6"),
)


def code_html(code: str, language: str) -> Markup:
    """Return `code` as HTML, coloured if its language is known."""
    lexer = _lexer(language) if len(code) <= MAX_CHARS else None
    if lexer is None:
        return escape(code)
    out = []
    for kind, text in lexer.get_tokens(code):
        name = _class(str(kind))
        html = escape(text)
        out.append(f'<span class="{name}">{html}</span>' if name and text.strip() else html)
    return Markup("".join(out))


@lru_cache(maxsize=64)
def _lexer(language: str) -> Any:
    if get_lexer_by_name is None or language not in LANGUAGES:
        return None
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


@lru_cache(maxsize=256)
def _class(kind: str) -> str:
    return next((name for prefix, name in _CLASSES if kind.startswith(prefix)), "")
