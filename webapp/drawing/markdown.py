"""Markdown in texts of runs as HTML: CommonMark with tables and strikethrough, without raw HTML and without images.

Links lead to http, https and mailto addresses only. An image is a link to its address, because a page loads nothing
from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock, table
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup, escape

from signalbox.store.terminal_escapes import plain
from signalbox.webapp.drawing.code_highlight import code_html
from signalbox.webapp.drawing.diff import diff_block_html
from signalbox.webapp.drawing.links import EXTERNAL_ATTRIBUTES, MAX_LINK_CHARS, linked, opening_tag
from signalbox.webapp.views.text import clean

MAX_CHARS = 32_000
"""Characters that are formatted: some texts take 20 µs for each. The rest of a longer text follows as plain text."""

MAX_NESTING = 20
MIN_CELLS = 500
"""Cells of tables that a short text may have. A longer one has at most one for two characters: a bar and a digit."""

HEAD_LINES = 2
"""Lines of a table before its first row."""

_ALLOWED = re.compile(r"(?:https?://|mailto:)[^\s\x00-\x1f\x7f]+\Z", re.IGNORECASE)
_BLOCKS = frozenset(("paragraph_open", "heading_open", "list_item_open", "td_open", "th_open"))
_DIFF = ("diff", "patch", "udiff")


def markdown_html(text: str, *, heading: int = 3, limit: int = MAX_CHARS) -> Markup:
    """Return Markdown as HTML, in an element of its own. The highest heading has the level `heading`."""
    text = clean(plain(text))
    shown, rest = _cut(text, limit)
    html = _parser.render(shown, {"heading": heading, "cells": max(MIN_CELLS, len(shown) // 2)})
    if rest:
        html += f'<pre class="markdown-rest" dir="auto">{linked(rest)}</pre>'
    return Markup(f'<div class="markdown">{html}</div>')


def looks_like_markdown(text: str) -> bool:
    """Return whether `text` has at least one sign of Markdown that plain prose has not."""
    return _SIGNS.search(text[:MAX_CHARS]) is not None


_SIGNS = re.compile(
    r"^(?:#{1,6} \S|```|~~~|\|(?=[ :-]*?---)[ :|-]*+$|> \S|\d{1,3}\. \*\*)|\*\*\S[^*\n]{0,200}\*\*|\[[^]\n]{1,200}\]\(https?://",
    re.MULTILINE,
)


def _cut(text: str, limit: int) -> tuple[str, str]:
    """Return the part of `text` that is formatted, which ends with a line if possible, and the rest."""
    if len(text) <= limit:
        return text, ""
    end = text.rfind("\n", limit // 2, limit)
    end = limit if end < 0 else end + 1
    return text[:end], text[end:]


class TableRenderer(RendererHTML):
    """Renders tables that scroll by themselves, so that a wide one does not widen the page."""

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return '<div class="markdown-table" tabindex="0" role="group" aria-label="Table"><table>\n'

    def table_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return "</table></div>\n"


class _Renderer(TableRenderer):
    """Renders the tokens whose HTML differs from that of CommonMark."""

    def text(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        return _escaped(token.content) if token.meta.get("in_link") else linked(token.content)

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        address = str(token.attrs["src"])
        words = f"image: {_escaped(token.content or address)}"
        return words if token.meta.get("in_link") else f"{opening_tag(address)}{words}</a>"

    def link_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        # The text of a link may be the address of another page, which would deceive the reader.
        address = tokens[idx].meta.get("address")
        return f'</a> <i class="address">({_escaped(address)})</i>' if address else "</a>"

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        language = token.info.split(maxsplit=1)[0].lower() if token.info.strip() else ""
        code = token.content.removesuffix("\n")
        html = diff_block_html(code) if language in _DIFF else code_html(code, language)
        return f"<pre><code>{html}</code></pre>\n"


def _prepare(state: Any) -> None:
    """Set the attributes of blocks and links, and mark the texts inside links."""
    outline: list[int] = []
    for token in state.tokens:
        if token.type in _BLOCKS:
            token.attrSet("dir", "auto")
        if token.type == "heading_open":
            # A page must not skip a level, however the text uses them.
            level = int(token.tag[1])
            outline = [*(above for above in outline if above < level), level]
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(state.env['heading'] + len(outline) - 1, 6)}"
        for style in ("text-align:left", "text-align:center", "text-align:right"):
            # The policy of the pages allows no inline styles.
            if token.attrs.get("style") == style:
                del token.attrs["style"]
                token.attrSet("class", style.replace("text-align:", "align-"))
        _prepare_links(token.children or ())


def _prepare_links(tokens: Iterable[Token]) -> None:
    address, words = "", ""
    for token in tokens:
        if token.type == "link_open":
            address, words = str(token.attrs["href"]), ""
            for name, value in EXTERNAL_ATTRIBUTES.items():
                token.attrSet(name, value)
        elif token.type == "link_close":
            if "://" in words and words.strip() != unquote(address):
                token.meta["address"] = address
            address = ""
        words += token.content
        token.meta["in_link"] = bool(address)


def _escaped(text: str) -> str:
    # A character reference in Markdown may stand for a control character.
    return str(escape(clean(text)))


def _bounded_table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Parse a table, with as many cells as `env` has left. Rows after them are a paragraph.

    Each row is completed to the columns of the head, so that 1.5 KB of text would become 65,000 cells.
    """
    head = state.src[state.bMarks[start] : state.eMarks[start]].strip()
    columns = max(1, head.count("|") + 1 - head.startswith("|") - head.endswith("|"))
    rows = state.env["cells"] // columns
    if silent or not rows:
        return bool(rows) and table(state, start, end, silent)
    found = table(state, start, min(end, start + HEAD_LINES + rows), silent)
    if found:
        state.env["cells"] -= columns * (state.line - start)
    return found


class _Parser(MarkdownIt):
    def __init__(self) -> None:
        super().__init__("commonmark", {"html": False, "maxNesting": MAX_NESTING}, renderer_cls=_Renderer)
        self.enable(["table", "strikethrough"])
        self.block.ruler.at("table", _bounded_table, {"alt": ["paragraph", "reference"]})
        self.core.ruler.push("prepare", _prepare)

    def validateLink(self, url: str) -> bool:
        return len(url) <= MAX_LINK_CHARS and _ALLOWED.match(url) is not None


_parser = _Parser()
