"""Folded states of a task in its cold file, so that a read as of an earlier event folds only a part of the log."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import msgspec

from signalbox.store.cold.zstandard import compressed, decompressed
from signalbox.store.history import before_first_event, fold
from signalbox.store.moving.tables import EVENTS, Row
from signalbox.store.sql.rows import events_of
from signalbox.store.state import Task, TaskState

CHANGE_WEIGHT = 10
"""The time to fold an event that changes more than counters, in times of one that changes only counters."""

FIRST_STEP = 100_000
"""The weight of the events between two states, at first."""

BYTES_PER_EVENT = 12
"""Bytes of states for each event, about 3 % of its size in the database. The limit is `MIN_BYTES` to `MAX_BYTES`."""

MIN_BYTES = 128 * 1024
MAX_BYTES = 16 * 1024 * 1024

MAX_STATE_BYTES = 64 * 1024 * 1024
"""A state that is larger as JSON is not stored, and no later one either."""

LEVEL = 6
"""States are large and alike, so a higher level takes long for little."""

_SEQ, _QUIET, _TIME = EVENTS.places("seq", "quiet", "created_at")
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(TaskState)


@lru_cache(maxsize=1)
def fields() -> str:
    """Return a hash of the fields of a state. It changes when a version adds, removes or changes one."""
    return hashlib.sha256(msgspec.json.encode(msgspec.json.schema(TaskState))).hexdigest()[:16]


def state_of(content: bytes) -> TaskState:
    """Decode a stored state. Raises ZstdError and msgspec.MsgspecError."""
    return _decoder.decode(decompressed(content))


class StateKeeper:
    """Folds the log of a task while it is packed, and keeps states.

    When the kept states are too large, every second one is dropped, and the steps double.
    """

    def __init__(self, task: Task) -> None:
        self._state = TaskState(task=before_first_event(task))
        self._kept: list[tuple[int, bytes]] = []
        self._step, self._weight = FIRST_STEP, 0
        self._complete = False

    def add(self, rows: Sequence[Row]) -> None:
        """Fold the next events."""
        if self._complete:
            return
        changing = [row for row in rows if row[_QUIET] is None]
        fold(self._state, events_of([row[:13] for row in changing]), [row[_TIME] for row in rows])
        self._weight += len(rows) + CHANGE_WEIGHT * len(changing)
        if self._weight >= self._step:
            self._keep(min(MAX_BYTES, max(MIN_BYTES, BYTES_PER_EVENT * rows[-1][_SEQ])))

    def _keep(self, limit: int) -> None:
        content = _encoder.encode(self._state)
        if len(content) > MAX_STATE_BYTES:
            self._complete = True
            return
        self._weight = 0
        self._kept.append((self._state.task.latest_seq, compressed(content, LEVEL)))
        while sum(len(kept) for _, kept in self._kept) > limit:
            self._kept = self._kept[1::2]
            self._step *= 2

    @property
    def kept(self) -> list[tuple[int, bytes]]:
        """The kept states, compressed, with the seq of the last event of each."""
        return self._kept
