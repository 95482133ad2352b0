"""JSON as a tree of folds: containers and texts that are deep or long are folded, and huge ones load when opened."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from markupsafe import Markup, escape

from signalbox.webapp.drawing.payload.address import PayloadAddress
from signalbox.webapp.drawing.payload.limits import PAGE, Limits
from signalbox.webapp.drawing.payload.search import Search
from signalbox.webapp.drawing.payload.strings import (
    FOLDED_LINES,
    is_block,
    lines_of,
    quoted_html,
    text_html,
)
from signalbox.webapp.views.json_pointer import child
from signalbox.webapp.views.text import clean, compact, count, plural

OPEN_DEPTH = 2
"""Levels of containers that are open at first."""

MAX_DEPTH = 8
"""Levels in one response. More of them load when they are opened."""

LOADED_LINES = 200
"""Lines of a closed fold beyond which its content loads when it is opened."""

INLINE_CHARS = 72
MAX_KEY_CHARS = 500
_PREVIEW_KEYS = 4


def json_tree(value: Any, address: PayloadAddress, search: Search, start: int = 0, limits: Limits = PAGE) -> Markup:
    """Return a value as a tree. `start` is the first member or character of a piece."""
    return _Tree(address, search, limits).render(value, start)


class _Tree:
    def __init__(self, address: PayloadAddress, search: Search, limits: Limits) -> None:
        self._address = address
        self._search = search
        self._limits = limits
        self._left = limits.html

    def render(self, value: Any, start: int) -> Markup:
        pointer = self._address.pointer
        if isinstance(value, str):
            return text_html(value, self._address, self._search, start, self._limits.text)
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
            if self._search and len(value) > FOLDED_LINES and not self._search.finds(item, name):
                skipped += 1
                continue
            if shown == self._limits.values:
                out.append(self._rest(pointer, at, len(value) - at))
                break
            if skipped:
                out.append(_skipped(skipped))
            shown, skipped = shown + 1, 0
            out.append(self._member(name, item, child(pointer, name), depth, "," if at < last else ""))
        if skipped:
            out.append(_skipped(skipped))
        return "".join(out)

    def _rest(self, pointer: str, at: int, left: int) -> str:
        some = f"{PAGE.values} of " if left > PAGE.values else ""
        return self._address.at(pointer).piece(f"Show {some}{count(left)} more", at, "json")

    def _member(self, name: str | int, item: Any, pointer: str, depth: int, comma: str) -> str:
        label = ""
        if isinstance(name, str):
            label = f'<span class="json-key">{self._search.mark(_key_html(name))}</span>: '
        if isinstance(item, dict | list) and item and not (depth and (inline := _inline(item))):
            return self._fold(label, item, pointer, depth, comma)
        if isinstance(item, str) and is_block(item):
            return self._block(label, item, pointer)
        value = inline if isinstance(item, dict | list) and item else self._scalar(item)
        html = f'<div class="json-member">{label}{self._search.mark(value)}{comma}</div>'
        self._left -= len(html)
        return html

    def _fold(self, label: str, item: Any, pointer: str, depth: int, comma: str) -> str:
        opening, closing = ("{", "}") if isinstance(item, dict) else ("[", "]")
        found = bool(self._search) and self._search.finds(item)
        open_ = found or (depth < OPEN_DEPTH and _lines(item, FOLDED_LINES + 1) <= FOLDED_LINES)
        if depth >= MAX_DEPTH or self._left <= 0 or (not open_ and _lines(item, LOADED_LINES) == LOADED_LINES):
            open_ = False
            members = str(self._address.at(pointer).piece("Show", view="json", on_opening=True))
        else:
            members = self._members(item, pointer, depth + 1)
        head = (
            f'<details class="json-fold"{" open" if open_ else ""}><summary>{label}{opening}'
            f'<span class="json-preview">{_preview(item)} {closing}{comma}</span></summary>'
        )
        self._left -= len(head)
        return f'{head}<div class="json-members">{members}</div>{closing}{comma}</details>'

    def _block(self, label: str, text: str, pointer: str) -> str:
        """Return a text as a block. A comma after it would look like a part of the text."""
        lines, address = lines_of(text), self._address.at(pointer)
        if lines <= FOLDED_LINES or (self._search and self._search.spans(text)):
            html = self._text(text, address)
            self._left -= len(html)
            return f'<div class="json-member">{label}</div>{_pre(html)}'
        loads = lines > LOADED_LINES or self._left <= 0
        html = address.piece("Show", view="json", on_opening=True) if loads else self._text(text, address)
        first = text.strip()[:INLINE_CHARS].partition("\n")[0]
        return (
            f'<details class="json-fold"><summary>{label}<span class="json-preview">{quoted_html(first)[:-5]}…'
            f" {plural(lines, 'line')}</span></summary>{_pre(html)}</details>"
        )

    def _text(self, text: str, address: PayloadAddress) -> Markup:
        return text_html(text, address, self._search, 0, self._limits.text)

    def _scalar(self, value: Any) -> str:
        if isinstance(value, str):
            return f'<span class="json-text" dir="auto">{quoted_html(value)}</span>'
        return f'<span class="json-plain">{escape(compact(value))}</span>'


def _items(value: Any, start: int) -> Iterator[tuple[int, str | int, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for at, (name, item) in enumerate(islice(items, start, None), start):
        yield at, name, item


def _key_html(name: str) -> Markup:
    """Return a key as JSON. Only the raw payload has the rest of a very long one."""
    left = len(name) - MAX_KEY_CHARS
    return quoted_html(name) if left <= 0 else quoted_html(name[:MAX_KEY_CHARS]) + f"… ({count(left)} more characters)"


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
        if (isinstance(item, dict | list) and item) or (
            isinstance(item, str) and (len(item) > INLINE_CHARS or is_block(item))
        ):
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
    keys = [str(escape(clean(name[:40]))) for name in islice(value, _PREVIEW_KEYS)]
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
