"""The comparison of both sides: the number of rows and a hash for each task and each table.

The hash of a task is the sum of the hashes of its rows, so it does not depend on the order in which a database returns
them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice
from operator import itemgetter
from typing import NamedTuple

import msgspec

from signalbox.store.moving.copying import COPIED
from signalbox.store.moving.errors import StoresDiffer
from signalbox.store.moving.in_step import in_step
from signalbox.store.moving.pieces import keys, wrong_contents
from signalbox.store.moving.side import CHUNK, DatabaseSide
from signalbox.store.moving.tables import AUDITS, COUNTED, EVENTS, OF_LOGS, OF_TASKS, PIECES, WHOLE, Row, Table
from signalbox.store.sql.removal import PRESENT

CHECKED_ROWS = 2000
"""Rows between two calls of the pause point."""

HASH_BYTES = 16

_encode = msgspec.msgpack.Encoder().encode


class Digest(NamedTuple):
    """The number of rows, and their hash."""

    rows: int
    hash: int


class Comparison:
    """Compares what two sides have in their present transactions. `pause_point` may raise to end it."""

    def __init__(self, source: DatabaseSide, target: DatabaseSide, pause_point: Callable[[], None]) -> None:
        self._sides = (source, target)
        self._pause_point = pause_point
        self._differences: list[str] = []

    def everything(self) -> None:
        """Compare all rows of all tables. Raises StoresDiffer."""
        for table in OF_TASKS:
            self._tasks(table, _all_rows(table))
        self._differences += wrong_contents(self._sides[1], self._pause_point)
        self._rest(0)

    def newer(self, event_id: int, audit_id: int, task_ids: Iterable[str], rewritten: Iterable[str]) -> None:
        """Compare the events and audits after these ids, these tasks, and the small tables. Raises StoresDiffer.

        Of the `rewritten` tasks, all events and audits are compared.
        """
        since = f"WHERE event_id > ? AND {COPIED} ORDER BY task_id || ''"
        # With `|| ''` SQLite sorts the few rows instead of reading the index on the task, which has all rows.
        self._tasks(EVENTS, lambda side: side.select(EVENTS, since, event_id))
        left_out = self._sides[0].on_their_way()
        for tables, names in ((OF_TASKS[1:], task_ids), ((EVENTS, AUDITS), rewritten)):
            ids = iter(names)
            while chunk := list(islice(ids, CHUNK)):
                for table in tables:
                    compared = [task_id for task_id in chunk if table not in OF_LOGS or task_id not in left_out]
                    self._tasks(table, _rows_of(table, compared))
        self._rest(audit_id)

    def _tasks(self, table: Table, read: Callable[[DatabaseSide], Iterator[Row]]) -> None:
        """Compare rows task by task."""
        place = table.names.index("task_id")
        source, target = (self._by_task(read(side), place) for side in self._sides)
        for (task_id,), found, stored in in_step(source, target):
            if found != stored:
                self._report(f"task {task_id}", table, found, stored)

    def _by_task(self, rows: Iterator[Row], place: int) -> Iterator[tuple[Row, Row]]:
        for task_id, group in groupby(rows, key=itemgetter(place)):
            yield (task_id,), self._digest(group)

    def _rest(self, audit_id: int) -> None:
        self._table(AUDITS, "WHERE audit_id > ?", audit_id)
        for table in WHOLE:
            self._table(table)
        found, stored = (self._digest(keys(side)) for side in self._sides)
        if found != stored:
            self._report("the store", PIECES, found, stored)
        source, target = (side.last_ids() for side in self._sides)
        for name in COUNTED:
            if source[name] != target[name]:
                self._differences.append(f"the last id of {name} is {source[name]}, in the copy {target[name]}")
        if self._differences:
            raise StoresDiffer(self._differences)

    def _table(self, table: Table, rest: str = "", *values: object) -> None:
        source, target = (self._digest(side.select(table, rest, *values)) for side in self._sides)
        if source != target:
            self._report("the store", table, source, target)

    def _digest(self, rows: Iterable[Row]) -> Digest:
        count = total = 0
        for row in rows:
            count += 1
            total += int.from_bytes(hashlib.blake2b(_encode(row), digest_size=HASH_BYTES).digest())
            if not count % CHECKED_ROWS:
                self._pause_point()
        return Digest(count, total % 256**HASH_BYTES)

    def _report(self, noun: str, table: Table, found: Row | None, stored: Row | None) -> None:
        rows, copied = (0 if digest is None else digest[0] for digest in (found, stored))
        how = f"{rows} rows, in the copy {copied}" if rows != copied else f"{rows} rows, whose hash differs in the copy"
        self._differences.append(f"{noun} has in {table.name} {how}")


def _all_rows(table: Table) -> Callable[[DatabaseSide], Iterator[Row]]:
    return lambda side: side.select(table, f"WHERE {COPIED if table in OF_LOGS else PRESENT} ORDER BY task_id")


def _rows_of(table: Table, task_ids: Sequence[str]) -> Callable[[DatabaseSide], Iterator[Row]]:
    return lambda side: side.of_tasks(table, task_ids)
