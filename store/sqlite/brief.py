"""Payloads cut to what a page shows of them at first. A page that lists events never holds their long payloads."""

from __future__ import annotations

from typing import Any

import msgspec

from signalbox.store.sqlite.rows import COLUMNS

LONG = 4096
"""Characters of JSON beyond which a payload is cut."""

TEXT, VALUES, LONGEST_KEY = 1500, 100, 100
"""Characters and values that are left of one that is cut."""

BRIEF_COLUMNS = COLUMNS.replace(
    " payload,", f" CASE WHEN length(payload) > {LONG} THEN signalbox_brief(payload) ELSE payload END,"
) + (f", CASE WHEN length(payload) > {LONG} THEN length(CAST(payload AS BLOB)) END")
"""The columns of `task_events` as `event_of` takes them, long payloads cut, and the true size of those in bytes."""


def signalbox_brief(payload: Any) -> Any:
    """The SQL function that cuts a payload. One that is no JSON object comes back as its beginning."""
    try:
        given = msgspec.json.decode(payload)
        return msgspec.json.encode(_Cut().value(given)).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError, RecursionError):
        return payload[:TEXT] if isinstance(payload, str | bytes) else payload


class _Cut:
    def __init__(self) -> None:
        self._text, self._values = TEXT, VALUES

    def value(self, given: Any) -> Any:
        if isinstance(given, str):
            kept = given[: max(0, self._text)]
            self._text -= len(kept)
            if len(kept) == len(given):
                return kept
            # Half an escape sequence would be read as text.
            escape = kept.rfind("\x1b", -32)
            return (kept if escape < 0 else kept[:escape]) + "…"
        if isinstance(given, dict):
            return {key[:LONGEST_KEY]: self.value(value) for key, value in given.items() if self._more(key)}
        if isinstance(given, list):
            return [self.value(value) for value in given if self._more()]
        return given if not isinstance(given, int) or abs(given) < 1e30 else f"{str(given)[:30]}…"

    def _more(self, key: str = "") -> bool:
        self._values -= 1
        self._text -= min(len(key), LONGEST_KEY)
        return self._values >= 0
