"""The search within a payload: which values contain a text, and marks in their HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from itertools import islice
from typing import Any

from markupsafe import Markup, escape

from signalbox.webapp.views.text import compact

MAX_MARKS = 1000
"""Marks in the HTML of one value."""

_TAG = re.compile(r"(<[^>]*>)")
_Parts = Iterator[tuple[Any, Any]]


class Search:
    """A text that a reader searches for in `value`; case is ignored. Without a text, it is false and finds nothing."""

    def __init__(self, text: str = "", value: Any = None) -> None:
        self.text = text
        self._pattern = re.compile(re.escape(text), re.IGNORECASE) if text else None
        self._containers: set[int] = set()
        self._names: dict[str, bool] = {}
        self.total = self._count(value) if text else 0
        """The number of matches in keys and values."""

    def __bool__(self) -> bool:
        return self._pattern is not None

    def finds(self, value: Any, name: str | int = "") -> bool:
        """Return whether `value`, or its key in an object, contains the text."""
        if isinstance(name, str) and self.names(name):
            return True
        if isinstance(value, dict | list):
            return id(value) in self._containers
        return bool(self.spans(scalar_text(value)))

    def names(self, name: str) -> bool:
        """Return whether a key contains the text. It is kept, because each value below a key asks again."""
        if name not in self._names:
            self._names[name] = bool(self._pattern and self._pattern.search(name))
        return self._names[name]

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return the start and the end of the first MAX_MARKS matches in a text."""
        return [found.span() for found in islice(self._pattern.finditer(text), MAX_MARKS)] if self._pattern else []

    def mark(self, html: str) -> Markup:
        """Return HTML with `<mark>` around each match in its text, even if tags interrupt the match."""
        parts = _TAG.split(html)
        texts = [unescape(part) for part in parts[::2]]
        spans = self.spans("".join(texts))
        if not spans:
            return Markup(html)
        position = first = 0
        for at, text in enumerate(texts):
            while first < len(spans) and spans[first][1] <= position:
                first += 1
            parts[2 * at] = _marked(text, position, spans, first)
            position += len(text)
        return Markup("".join(parts))

    def _count(self, value: Any) -> int:
        """Count the matches, and note the containers that have one. A payload may be too deep for recursion."""
        total = 0
        above: list[tuple[Any, _Parts]] = [(None, iter(((0, value),)))]
        while above:
            name, item = next(above[-1][1], (None, _END))
            if item is _END:
                above.pop()
                continue
            found = self._matches(name) if isinstance(name, str) else 0
            if not isinstance(item, dict | list):
                found += self._matches(scalar_text(item))
            if found:
                total += found
                for container, _ in reversed(above):
                    if id(container) in self._containers:
                        break
                    self._containers.add(id(container))
            if isinstance(item, dict | list):
                above.append((item, iter(item.items() if isinstance(item, dict) else enumerate(item))))
        return total

    def _matches(self, text: str) -> int:
        return sum(1 for _ in self._pattern.finditer(text)) if self._pattern else 0


_END = object()


def scalar_text(value: Any) -> str:
    """Return a value that is no container as text."""
    return value if isinstance(value, str) else compact(value)


def _marked(text: str, position: int, spans: list[tuple[int, int]], first: int) -> str:
    """Return the text, which begins at `position`, escaped and with its parts marked that lie in `spans[first:]`."""
    out, done, end = [], position, position + len(text)
    while first < len(spans) and spans[first][0] < end:
        start, stop = max(spans[first][0], done), min(spans[first][1], end)
        first += 1
        out += [escape(text[done - position : start - position]), "<mark>"]
        out += [escape(text[start - position : stop - position]), "</mark>"]
        done = stop
    return "".join([*out, escape(text[done - position :])])
