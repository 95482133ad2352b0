"""Compressed payloads in the SQL of a SQLite file: the rows of an insert, and the functions of a query."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from signalbox.store.failures import reports_failure
from signalbox.store.sql.compressed import MIN_CHARS, Compressor, is_compressed, text_of
from signalbox.store.sql.rows import COLUMNS
from signalbox.store.sql.short_payloads import MAX_PAYLOAD_CHARS, shortened

TEXT = "CASE WHEN {0} < x'' THEN {0} ELSE signalbox_text({0}) END"
"""A payload as text. It is NULL if the payload is compressed and damaged.

Every text is less than every blob, and comparing costs less than calling `typeof`.
"""

BRIEF = (
    f"CASE WHEN payload < x'' AND length(payload) <= {MAX_PAYLOAD_CHARS} THEN payload ELSE signalbox_brief(payload) END"
)
"""A payload, shortened if it is long."""

CUT_FROM = (
    f"CASE WHEN payload < x'' AND length(payload) <= {MAX_PAYLOAD_CHARS} THEN NULL"
    " WHEN payload < x'' THEN length(CAST(payload AS BLOB)) ELSE signalbox_cut_from(payload) END"
)
"""The size in bytes of a payload that `BRIEF` shortens, else NULL."""


class Places(NamedTuple):
    """The places of the columns that compression reads, in a row of `task_events`."""

    event_type: int
    payload: int
    plain: int

    @classmethod
    def among(cls, columns: Sequence[str]) -> Places:
        """Return the places among these columns."""
        return cls(*map(columns.index, cls._fields))


APPENDED = Places.among([*COLUMNS.replace(" ", "").split(","), "quiet", "plain"])
"""The places in the rows of `Database.insert_events`."""


def compressed_rows(
    rows: Sequence[Sequence[Any]], compressor: Compressor, places: Places = APPENDED
) -> Sequence[Sequence[Any]]:
    """Return rows of `task_events` with their long payloads compressed."""
    payload = places.payload
    if max(map(len, map(itemgetter(payload), rows)), default=0) < MIN_CHARS:
        return rows
    return [_compressed(row, compressor, places) if len(row[payload]) >= MIN_CHARS else row for row in rows]


def _compressed(row: Sequence[Any], compressor: Compressor, places: Places) -> Sequence[Any]:
    event_type, payload, plain = (row[place] for place in places)
    found = list(row)
    if _may_be_compressed(event_type, payload):
        found[places.payload] = compressor.stored(payload)
    if plain and len(plain) >= MIN_CHARS:
        found[places.plain] = compressor.stored(plain)
    return found


def _may_be_compressed(event_type: str, payload: str) -> bool:
    """Return whether the column `failure`, which SQLite computes from type and payload, stays right."""
    if event_type in ("runner_exit", "status"):
        return False
    return reports_failure(event_type, "{}") or not reports_failure(event_type, payload)


class Functions:
    """The functions for one connection. They keep the last text, because a query may ask for it several times."""

    def __init__(self) -> None:
        self._last: tuple[bytes, str | None] = (b"", None)

    def _text(self, stored: Any) -> str | None:
        if not is_compressed(stored):
            return None
        if stored != self._last[0]:
            self._last = (stored, text_of(stored))
        return self._last[1]

    def text(self, stored: Any) -> Any:
        """Return a compressed payload as text, or None if it is damaged."""
        return self._text(stored) if isinstance(stored, bytes) else stored

    def brief(self, stored: Any) -> Any:
        """Return a payload, shortened if it is long. A damaged one is returned unchanged."""
        text = self._text(stored)
        if text is None:
            return shortened(stored)
        return shortened(text) if len(text) > MAX_PAYLOAD_CHARS else text

    def cut_from(self, stored: Any) -> int | None:
        """Return the size in bytes of a compressed payload that `brief` shortens, else None."""
        text = self._text(stored)
        return len(text.encode()) if text is not None and len(text) > MAX_PAYLOAD_CHARS else None

    def by_name(self) -> dict[str, Callable[[Any], Any]]:
        """Return the functions under their names in SQL. Each takes one value."""
        return {"signalbox_text": self.text, "signalbox_brief": self.brief, "signalbox_cut_from": self.cut_from}


def add_functions(connection: sqlite3.Connection) -> None:
    """Make the functions available on a connection."""
    for name, function in Functions().by_name().items():
        connection.create_function(name, 1, function, deterministic=True)
