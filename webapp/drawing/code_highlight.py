"""Colours for source code, if Pygments is installed: `pip install signalbox-console[highlight]`."""

from __future__ import annotations

import re
from collections.abc import Iterator
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

PIECE_CHARS = 1000
"""Characters that a lexer gets at once."""

_GAP = re.compile(r"(?<=\n\n)(?=[^\s)}\]])")
"""The end of an empty line before a line without indentation."""

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
    for piece in _pieces(code):
        for kind, text in lexer.get_tokens(piece):
            name = _class(str(kind))
            html = escape(text)
            out.append(f'<span class="{name}">{html}</span>' if name and text.strip() else html)
    return Markup("".join(out))


def _pieces(code: str) -> Iterator[str]:
    """Yield the parts of `code` that are coloured on their own, if possible between two definitions, else two lines.

    Lexers take quadratic time for some texts, such as a Java program of words without punctuation.
    """
    start = 0
    while len(code) - start > PIECE_CHARS:
        window = code[start : start + PIECE_CHARS]
        gaps = [found.start() for found in _GAP.finditer(window, PIECE_CHARS // 4)]
        end = start + (gaps[-1] if gaps else window.rfind("\n") + 1 or PIECE_CHARS)
        yield code[start:end]
        start = end
    yield code[start:]


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
