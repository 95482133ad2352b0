"""JSON as a tree of folds: containers and texts that are deep or long are folded, and huge ones load when opened."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from markupsafe import Markup, escape

from signalbox.webapp.drawing.payload.address import PayloadAddress
from signalbox.webapp.drawing.payload.search import Search
from signalbox.webapp.drawing.payload.strings import (
    FOLDED_LINES,
    is_block,
    lines_of,
    quoted_html,
    text_html,
)
from signalbox.webapp.views.json_pointer import child
from signalbox.webapp.views.text import compact, count, plural

OPEN_DEPTH = 2
"""Levels of containers that are open at first."""

MAX_DEPTH = 8
MAX_MEMBERS = 100
MAX_CHARS = 120_000
"""Levels, members of one container, and characters of HTML in one response. More of them load when they are opened."""

INLINE_CHARS = 72
_PREVIEW_KEYS = 4


def json_tree(value: Any, address: PayloadAddress, search: Search, start: int = 0) -> Markup:
    """Return a value as a tree. `start` is the first member or character of a piece."""
    return _Tree(address, search).render(value, start)


class _Tree:
    def __init__(self, address: PayloadAddress, search: Search) -> None:
        self._address = address
        self._search = search
        self._left = MAX_CHARS

    def render(self, value: Any, start: int) -> Markup:
        pointer = self._address.pointer
        if isinstance(value, str):
            return text_html(value, self._address, self._search, start)
        if not isinstance(value, dict | list) or not value:
            return Markup(self._search.mark(self._scalar(value)))
        members = self._members(value, pointer, 0, start)
        if start:
            return Markup(members)
        opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
        return Markup(f'<div class="json">{opening}<div class="json-members">{members}</div>{closing}</div>')

    def _members(self, value: Any, pointer: str, depth: int, start: int = 0) -> str:
        out: list[str] = []
        last, shown, skipped = len(value) - 1, 0, 0
        for at, name, item in _items(value, start):
            if self._search and not self._search.finds(item, name):
                skipped += 1
                continue
            if shown == MAX_MEMBERS or self._left <= 0:
                out.append(self._rest(pointer, at, len(value) - at))
                break
            if skipped:
                out.append(_skipped(skipped))
            shown, skipped = shown + 1, 0
            html = self._member(name, item, child(pointer, name), depth, "," if at < last else "")
            self._left -= len(html)
            out.append(html)
        if skipped:
            out.append(_skipped(skipped))
        return "".join(out)

    def _rest(self, pointer: str, at: int, left: int) -> str:
        words = (
            f"Show {count(min(left, MAX_MEMBERS))} of {count(left)} more" if left > MAX_MEMBERS else f"Show {left} more"
        )
        return self._address.at(pointer).piece(words, at, "json")

    def _member(self, name: str | int, item: Any, pointer: str, depth: int, comma: str) -> str:
        label = ""
        if isinstance(name, str):
            label = f'<span class="json-key">{self._search.mark(quoted_html(name))}</span>: '
        if isinstance(item, dict | list) and item:
            inline = _inline(item) if depth else ""
            if not inline:
                return self._fold(label, item, pointer, depth, comma)
            return f'<div class="json-member">{label}{self._search.mark(inline)}{comma}</div>'
        if isinstance(item, str) and is_block(item):
            return self._block(label, item, pointer)
        return f'<div class="json-member">{label}{self._search.mark(self._scalar(item))}{comma}</div>'

    def _fold(self, label: str, item: Any, pointer: str, depth: int, comma: str) -> str:
        opening, closing = ("{", "}") if isinstance(item, dict) else ("[", "]")
        found = bool(self._search) and self._search.finds(item)
        open_ = found or (depth < OPEN_DEPTH and _lines(item, FOLDED_LINES + 1) <= FOLDED_LINES)
        if depth >= MAX_DEPTH or self._left <= 0:
            open_ = False
            members = str(self._address.at(pointer).piece("Show", view="json", on_opening=True))
        else:
            members = self._members(item, pointer, depth + 1)
        return (
            f'<details class="json-fold"{" open" if open_ else ""}><summary>{label}{opening}'
            f'<span class="json-preview">{_preview(item)} {closing}{comma}</span></summary>'
            f'<div class="json-members">{members}</div>{closing}{comma}</details>'
        )

    def _block(self, label: str, text: str, pointer: str) -> str:
        """Return a text as a block. A comma after it would look like a part of the text."""
        lines, address = lines_of(text), self._address.at(pointer)
        if lines <= FOLDED_LINES or (self._search and self._search.spans(text)):
            return f'<div class="json-member">{label}</div>{_pre(text_html(text, address, self._search))}'
        self._left -= len(text)
        loads = self._left <= 0
        html = address.piece("Show", view="json", on_opening=True) if loads else text_html(text, address, self._search)
        first = text.strip()[:INLINE_CHARS].partition("\n")[0]
        return (
            f'<details class="json-fold"><summary>{label}<span class="json-preview">{quoted_html(first)[:-5]}…'
            f" {plural(lines, 'line')}</span></summary>{_pre(html)}</details>"
        )

    def _scalar(self, value: Any) -> str:
        if isinstance(value, str):
            return f'<span class="json-text" dir="auto">{quoted_html(value)}</span>'
        return f'<span class="json-plain">{escape(compact(value))}</span>'


def _items(value: Any, start: int) -> Iterator[tuple[int, str | int, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for at, (name, item) in enumerate(islice(items, start, None), start):
        yield at, name, item


def _pre(html: str) -> str:
    return f'<pre class="json-block" dir="auto">{html}</pre>'


def _skipped(number: int) -> str:
    return f'<div class="json-member gap">… {count(number)} without a match …</div>'


def _inline(value: Any) -> str:
    """Return a small container on one line, or nothing if it is not small."""
    parts = []
    if len(value) > INLINE_CHARS // 4:
        return ""
    size = 0
    for name, item in value.items() if isinstance(value, dict) else enumerate(value):
        if (isinstance(item, dict | list) and item) or (isinstance(item, str) and len(item) > INLINE_CHARS):
            return ""
        text = quoted_html(item) if isinstance(item, str) else escape(compact(item))
        kind = "json-text" if isinstance(item, str) else "json-plain"
        label = f'<span class="json-key">{quoted_html(name)}</span>: ' if isinstance(name, str) else ""
        size += len(compact(item)) + (len(name) + 4 if isinstance(name, str) else 2)
        if size > INLINE_CHARS:
            return ""
        parts.append(f'{label}<span class="{kind}">{text}</span>')
    opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
    return f"{opening}{', '.join(parts)}{closing}"


def _preview(value: Any) -> str:
    """Return the number of members of a container and the first of its keys."""
    if isinstance(value, list):
        return f" {plural(len(value), 'item')}"
    keys = [str(escape(name[:40])) for name in islice(value, _PREVIEW_KEYS)]
    return f" {', '.join(keys)}{', …' if len(value) > _PREVIEW_KEYS else ''}"


def _lines(value: Any, limit: int) -> int:
    """Return the lines that a container fills, or `limit` if it fills more."""
    lines, waiting = 0, [value]
    while waiting and lines < limit:
        item = waiting.pop()
        if isinstance(item, str):
            lines += lines_of(item)
        elif isinstance(item, dict | list) and item:
            lines += 2
            waiting += islice(item.values() if isinstance(item, dict) else item, limit)
        else:
            lines += 1
    return min(lines, limit)
