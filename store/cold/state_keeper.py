"""Folds the log of a task while it is packed, and keeps a state after every few thousand events: see `states`."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import msgspec

from signalbox.store.cold.states import PARTS, StatePart
from signalbox.store.cold.zstandard import compressed
from signalbox.store.history import before_first_event, fold
from signalbox.store.moving.tables import EVENTS, Row, Table
from signalbox.store.sql.rows import decode, events_of
from signalbox.store.state import Task, TaskState

CHANGE_WEIGHT = 10
"""The time to fold an event that changes more than counters, in times of one that changes only counters."""

STEP = 20_000
"""The weight of the events between two states, at first."""

BYTES_PER_EVENT = 12
"""Bytes of states for each event, about 3 % of its size in the database. The limit is `MIN_BYTES` to `MAX_BYTES`."""

MIN_BYTES = 128 * 1024
MAX_BYTES = 16 * 1024 * 1024

MAX_RATIO = 16
"""Bytes of states before compression, in times of the limit."""

LEVEL = 6
"""States can be large, and a higher level takes long for little."""

_QUIET, _TIME = EVENTS.places("quiet", "created_at")
_PARTS = {part.table: part for part in PARTS}
_encode = msgspec.json.Encoder().encode

_Key = tuple[str, Any]
"""The field of a part in `TaskState`, and its key there."""


class _Moment:
    """A state that may be kept: the task, and the parts that change later. The values are encoded."""

    def __init__(self, seq: int, task: bytes) -> None:
        self.seq, self.task = seq, task
        self.parts: dict[_Key, bytes] = {}
        self.size = len(task)
        self.dropped = False

    def add(self, key: _Key, value: bytes) -> None:
        if not self.dropped:
            self.parts[key] = value
            self.size += len(value)

    def drop(self) -> None:
        self.parts, self.size, self.dropped = {}, 0, True

    def compressed(self) -> bytes:
        found: dict[str, dict[Any, msgspec.Raw]] = {}
        for (field, key), value in self.parts.items():
            found.setdefault(field, {})[key] = msgspec.Raw(value)
        return compressed(_encode({"task": msgspec.Raw(self.task), **found}), LEVEL)


class StateKeeper:
    """Keeps states of one task. The caller adds all events, then compares all rows of each table, and calls `kept`.

    If the states are too large, every second one is dropped.
    """

    def __init__(self, task: Task) -> None:
        self._state = TaskState(task=before_first_event(task))
        self._moments: list[_Moment] = []
        self._versions: dict[_Key, list[tuple[int, bytes]]] = {}
        """The values of each part, each with the number of the first moment that has it."""
        self._weight = self._events = 0

    def add(self, rows: Sequence[Row]) -> None:
        """Fold the next events."""
        changing = [row for row in rows if row[_QUIET] is None]
        fold(self._state, events_of([row[:13] for row in changing]), [row[_TIME] for row in rows])
        self._events += len(rows)
        self._weight += len(rows) + CHANGE_WEIGHT * len(changing)
        if self._weight >= STEP:
            self._weight = 0
            self._keep()

    def _keep(self) -> None:
        before, number = self._moments[-1].seq if self._moments else 0, len(self._moments)
        self._moments.append(_Moment(self._state.task.latest_seq, _encode(self._state.task)))
        for part in PARTS:
            for key, value in getattr(self._state, part.field).items():
                if getattr(value, part.changed) > before:
                    self._versions.setdefault((part.field, key), []).append((number, _encode(value)))

    def compare(self, table: Table, rows: Sequence[Row]) -> None:
        """Compare the fold with rows of the image, which has the last values of the parts of the task."""
        part = _PARTS.get(table.name)
        if part is None or not self._moments:
            return
        key, changed, state = table.places(part.key, part.changed, "state")
        for row in rows:
            self._compare(part, row[key], row[changed], row[state])
        while sum(moment.size for moment in self._moments) > MAX_RATIO * self._limit:
            self._drop_every_second()

    def _compare(self, part: StatePart, key: Any, changed: int, stored: str) -> None:
        versions = self._versions.pop((part.field, key), [])
        # At these moments the log does not have the part yet, but readers would take the row of the image for it.
        for moment in self._moments[self._first_at(changed) : versions[0][0] if versions else None]:
            moment.drop()
        settled = bool(versions) and _are_equal(part, versions[-1][1], stored)
        self._add((part.field, key), versions, self._first_at(changed) if settled else len(self._moments))

    def _first_at(self, seq: int) -> int:
        """Return the number of the first moment at a seq or later."""
        return bisect_left(self._moments, seq, key=attrgetter("seq"))

    def _add(self, key: _Key, versions: Sequence[tuple[int, bytes]], until: int) -> None:
        """Add the values of a part to the moments before `until`. From that one on, the row of the image is right."""
        ends = [*(number for number, _ in versions[1:]), until]
        for (begin, value), end in zip(versions, ends, strict=False):
            for moment in self._moments[begin : min(end, until)]:
                moment.add(key, value)

    @property
    def _limit(self) -> int:
        return min(MAX_BYTES, max(MIN_BYTES, BYTES_PER_EVENT * self._events))

    def _drop_every_second(self) -> None:
        # Keep the last one, which saves most.
        for moment in [moment for moment in self._moments if not moment.dropped][-2::-2]:
            moment.drop()

    def kept(self) -> list[tuple[int, bytes]]:
        """Return the states, compressed, each with the seq of its last event."""
        for key, versions in self._versions.items():
            self._add(key, versions, len(self._moments))
        self._versions = {}
        found: list[tuple[int, bytes]] = []
        while True:
            found = [(moment.seq, moment.compressed()) for moment in self._moments if not moment.dropped]
            if len(found) < 2 or sum(len(content) for _, content in found) <= self._limit:
                return found
            self._drop_every_second()


def _are_equal(part: StatePart, value: bytes, stored: str) -> bool:
    """Return whether a value and a row of the image have the same meaning for readers of this version."""
    if value == stored.encode():
        return True
    try:
        found: bool = decode(part.kind, value) == decode(part.kind, stored)
        return found
    except msgspec.MsgspecError:
        return False
