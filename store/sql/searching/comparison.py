"""The conditions that an event must fulfil to be a hit, in SQL and after it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from signalbox.store.events import HEARTBEAT
from signalbox.store.search import SearchQuery, folded
from signalbox.store.search.documents import grams, wanted_terms
from signalbox.store.search.matching import PayloadMatch
from signalbox.store.sql import damaged
from signalbox.store.sql.dialect import Dialect, one_of
from signalbox.store.sql.rows import LONG_CHARS
from signalbox.store.task_query import bound_timestamp
from signalbox.store.times import epoch_seconds

HAPPENED_AT = "coalesce(e.occurred_at, e.created_at)"

_ASCII = re.compile(r"[a-zA-Z0-9 ]{3,}")


class Wanted(NamedTuple):
    """The question to the index: pieces of the text, terms, the whole text, and the time in seconds since 1970.

    A block with a hit has all `grams`, one of each tuple of `terms`, and events between `since` and `until`.
    """

    grams: list[str]
    terms: list[tuple[str, ...]]
    text: str
    since: int | None
    until: int | None

    @property
    def is_empty(self) -> bool:
        """Whether every block may have a hit."""
        return not self.grams and not self.terms and self.since is None and self.until is None


def wanted(query: SearchQuery) -> Wanted:
    """Return the question to the index. Raises InvalidEvent for a bad time."""
    return Wanted(
        grams(query.text),
        wanted_terms(query),
        folded(query.text),
        int(epoch_seconds(bound_timestamp(query.since))) if query.since else None,
        int(epoch_seconds(bound_timestamp(query.until))) + 1 if query.until else None,
    )


class Hit(NamedTuple):
    """The event id, the task and the seq of a hit, and the facts by which hits are counted."""

    event_id: int
    task_id: str
    seq: int
    at: str
    kind: str
    project_id: str
    status: str


class EventComparison:
    """Compares events `e` and their tasks `t` with a query: by `where` in SQL, then by `hits`."""

    def __init__(self, query: SearchQuery, dialect: Dialect) -> None:
        self._failures = query.failures
        self._matches = PayloadMatch(query)
        payload = plain_payload(dialect) if self._matches.reads_payloads else "NULL"
        self.columns = f"e.event_id, e.task_id, e.seq, {HAPPENED_AT}, t.kind, t.project_id, t.status, {payload}"
        if query.failures:
            self.columns += ", e.failure, t.failure_lines"
        self.where, self.values = _conditions(query, dialect)

    async def hits(self, rows: Sequence[Sequence[Any]]) -> list[Hit]:
        """Return the hits among rows of `columns`. Many characters are compared in a thread."""
        if self.size_of(rows) > LONG_CHARS:
            return await asyncio.to_thread(self._hits, rows)
        return self._hits(rows)

    def size_of(self, rows: Sequence[Sequence[Any]]) -> int:
        """Return the characters of the payloads in rows of `columns`."""
        return sum(len(row[7]) for row in rows if row[7] is not None)

    def _hits(self, rows: Sequence[Sequence[Any]]) -> list[Hit]:
        return [Hit(*row[:3], *map(damaged.text_or_nothing, row[3:7])) for row in rows if self._is_hit(row)]

    def _is_hit(self, row: Sequence[Any]) -> bool:
        return self._matches(row[7]) and (not self._failures or is_failure(row[2], *row[8:]))


def plain_payload(dialect: Dialect) -> str:
    """Return the payload of `e` as text without terminal escapes."""
    return f"coalesce({dialect.text('e.plain')}, {dialect.text('e.payload')})"


def is_failure(seq: int, reports_failure: int | bool, failure_lines: str | None) -> bool:
    """Return whether an event counts as a failure: see `LogQuery.failures`."""
    return bool(reports_failure) or (failure_lines is not None and seq in damaged.seqs_of(failure_lines))


def _conditions(query: SearchQuery, dialect: Dialect) -> tuple[str, list[object]]:
    found: list[str] = ["e.event_type <> ?"]
    values: list[object] = [HEARTBEAT]
    wanted_values = {
        "e.event_type": query.event_type,
        "e.phase": query.phase,
        "e.actor": query.actor,
        "t.kind": query.kind,
    }
    for column, value in wanted_values.items():
        if value:
            found.append(f"{column} = ?")
            values.append(value)
    for column, chosen in (("t.project_id", query.within), ("t.status", query.statuses or None)):
        if chosen is not None:
            condition, some = one_of(column, chosen)
            found.append(condition)
            values += some
    for bound, beyond in ((query.since, ">="), (query.until, "<")):
        if bound:
            found.append(f"{HAPPENED_AT} {beyond} ?")
            values.append(bound_timestamp(bound))
    if query.failures:
        found.append("(e.failure OR t.failure_lines IS NOT NULL)")
    # A cheap comparison leaves few payloads to decode. Only ASCII letters and digits are written in JSON as they are.
    part = max(_ASCII.findall(query.text), key=len, default="")
    if part:
        contains, texts = dialect.contains(plain_payload(dialect), part)
        found.append(contains)
        values += texts
    return " AND ".join(found), values
