"""Shortened payloads for pages that list events, so that a page never loads long payloads."""

from __future__ import annotations

from typing import Any

import msgspec

from signalbox.store.events import Event

MAX_PAYLOAD_CHARS = 4096
"""Payloads with more characters of JSON than this are shortened."""

KEPT_CHARS, KEPT_VALUES, KEPT_KEY_CHARS = 1500, 100, 100
"""A shortened payload keeps this many characters of text, this many values, and this many characters of each key."""


def shortened(payload: Any) -> Any:
    """Return the JSON of a payload, shortened. A payload that is not valid JSON is truncated."""
    try:
        given = msgspec.json.decode(payload)
        return msgspec.json.encode(_Cut().value(given)).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError, RecursionError):
        return payload[:KEPT_CHARS] if isinstance(payload, str | bytes) else payload


def shorten(event: Event) -> Event:
    """Return an event as a brief view returns it: its payload is shortened if it is long."""
    size = memoryview(event.payload_json).nbytes
    if size <= MAX_PAYLOAD_CHARS:
        return event
    text = bytes(event.payload_json).decode()
    if len(text) <= MAX_PAYLOAD_CHARS:
        return event
    short = msgspec.structs.replace(event, payload_json=msgspec.Raw(shortened(text).encode()))
    short.__dict__["cut_from"] = size
    return short


class _Cut:
    def __init__(self) -> None:
        self._text, self._values = KEPT_CHARS, KEPT_VALUES

    def value(self, given: Any) -> Any:
        if isinstance(given, str):
            kept = given[: max(0, self._text)]
            self._text -= len(kept)
            if len(kept) == len(given):
                return kept
            # Do not cut inside an escape sequence: its first half would be shown as text.
            escape = kept.rfind("\x1b", -32)
            return (kept if escape < 0 else kept[:escape]) + "…"
        if isinstance(given, dict):
            return {key[:KEPT_KEY_CHARS]: self.value(value) for key, value in given.items() if self._more(key)}
        if isinstance(given, list):
            return [self.value(value) for value in given if self._more()]
        return given if not isinstance(given, int) or abs(given) < 1e30 else f"{str(given)[:30]}…"

    def _more(self, key: str = "") -> bool:
        self._values -= 1
        self._text -= min(len(key), KEPT_KEY_CHARS)
        return self._values >= 0
