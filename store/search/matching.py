"""Comparing an event with a query, after the index or the database has found it."""

from __future__ import annotations

from signalbox.store.search.query import SearchQuery
from signalbox.store.search.texts import fields_of, folded


class PayloadMatch:
    """Compares payloads with the filters of a query that concern them: its text, level and stream.

    `reads_payloads` says whether the query has such a filter. Without one every payload matches.
    """

    def __init__(self, query: SearchQuery) -> None:
        self._text = folded(query.text)
        self._level, self._stream = query.level.lower(), query.stream.lower()
        self.reads_payloads = bool(self._text or self._level or self._stream)

    def __call__(self, payload: str | bytes | None) -> bool:
        """Return whether the filters match a payload's JSON without terminal escapes."""
        if not self.reads_payloads:
            return True
        fields = fields_of(payload)
        return (
            (not self._level or _is(fields.level, self._level))
            and (not self._stream or _is(fields.stream, self._stream))
            and (not self._text or self._text in folded(fields.texts))
        )


def _is(value: object, wanted: str) -> bool:
    return isinstance(value, str) and value.lower() == wanted
