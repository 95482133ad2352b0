"""The text around the match of a search, for rows in which the match would not be visible."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from markupsafe import Markup

from signalbox.store import Event
from signalbox.store.terminal_escapes import plain, plain_json
from signalbox.webapp.views.text import clean, compact

VISIBLE_CHARS = 60
"""A match that ends within so many characters of a row is visible on every screen."""

BEFORE, AFTER = 60, 160
"""Characters around a match."""


class Excerpts(NamedTuple):
    """The search `sought`, and the results whose payload is shortened, by seq, with their `whole` payload."""

    sought: str
    whole: Mapping[int, Event]

    def before(self, event: Event, row: str) -> Markup:
        """Return the text around the first match in the payload, with the match marked. The row begins with it.

        It is empty if the match is at the beginning of the HTML `row`, or if the payload has none, because the type
        matches.
        """
        found = _match(Markup(row.partition("\n")[0]).striptags(), self.sought)
        if found and found.end() <= VISIBLE_CHARS:
            return Markup("")
        payload = self.whole.get(event.seq, event).payload
        message = payload.get("message")
        text = plain(message) if isinstance(message, str) else ""
        found = _match(text, self.sought)
        if not found:
            text = _json(payload)
            found = _match(text, self.sought) or _match(text, compact(self.sought)[1:-1])
        return _excerpt(text, found) if found else Markup("")


def _excerpt(text: str, found: re.Match[str]) -> Markup:
    start, end = max(0, found.start() - BEFORE), found.end() + AFTER
    before, after = text[start : found.start()], text[found.end() : end]
    return Markup('<span class="excerpt">{}{}<mark>{}</mark>{}{}</span> ').format(
        "…" if start else "", _line(before), _line(found[0]), _line(after), "…" if end < len(text) else ""
    )


def _match(text: str, sought: str) -> re.Match[str] | None:
    return re.search(re.escape(sought), text, re.IGNORECASE)


def _json(payload: dict[str, Any]) -> str:
    text = compact(payload)
    return plain_json(text) or text


def _line(text: str) -> str:
    return clean(re.sub(r"\s+", " ", text))
