"""States of a task in its cold file, so that a read as of an earlier event folds only a few events.

A part of a task that does not change after an event has the row of the image as of that event. So a stored state has
only the task and the parts that change later. A file of an earlier version has whole states.
"""

from __future__ import annotations

import hashlib
import sqlite3
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from signalbox.store.cold.zstandard import decompressed
from signalbox.store.sql.rows import readable
from signalbox.store.state import Artifact, Checkpoint, Permission, Phase, SentMessage, Span, TaskState

_decoder = msgspec.json.Decoder(TaskState)


class StatePart(NamedTuple):
    """A field of `TaskState` with the parts of one kind, and the table that has their last values.

    `key` is the field by which the state has them, and `first` the field with the seq of the event that added them.
    `changed` is the column with the seq of their last change.
    """

    field: str
    kind: type[Any]
    table: str
    key: str
    first: str = "seq"
    changed: str = "changed_seq"


PARTS = (
    StatePart("phases", Phase, "task_phases", "phase", "first_seq"),
    StatePart("spans", Span, "task_spans", "span_id", "started_seq"),
    StatePart("checkpoints", Checkpoint, "task_checkpoints", "checkpoint_id"),
    StatePart("permissions", Permission, "task_permissions", "request_id"),
    StatePart("artifacts", Artifact, "task_artifacts", "seq", changed="seq"),
    StatePart("messages", SentMessage, "task_messages", "seq"),
)


@lru_cache(maxsize=1)
def whole_states() -> str:
    """Return the mark of whole states. It changes when a version adds, removes or changes a field of a state."""
    return hashlib.sha256(msgspec.json.encode(msgspec.json.schema(TaskState))).hexdigest()[:16]


def partial_states() -> str:
    """Return the mark of states without the parts that do not change later. Earlier versions do not use them."""
    return f"partial {whole_states()}"


def state_of(content: bytes) -> TaskState:
    """Decode a stored state. Raises ZstdError and msgspec.MsgspecError."""
    return _decoder.decode(decompressed(content))


def complete(state: TaskState, image: sqlite3.Connection) -> None:
    """Add the parts that do not change after the last event of a partial state, from the image.

    They are in the order in which a fold adds them. Raises sqlite3.DatabaseError.
    """
    for part in PARTS:
        # With the `+`, SQLite reads the whole table. Looking up most of its rows one by one takes twice as long.
        sql = f"SELECT state FROM {part.table} WHERE task_id = ? AND +{part.changed} <= ?"
        values = _values(part.kind, image.execute(sql, (state.task.task_id, state.task.latest_seq)).fetchall())
        key = attrgetter(part.key)
        if later := getattr(state, part.field):
            values = [*(value for value in values if key(value) not in later), *later.values()]
        if part.kind is Span:
            # An event that names a parent for the first time adds its mark before the span.
            marks = [span for span in values if span.state == "mark"]
            values = marks + [span for span in values if span.state != "mark"]
        values.sort(key=attrgetter(part.first))
        setattr(state, part.field, dict(zip(map(key, values), values, strict=True)))


def _values(kind: type[Any], rows: list[tuple[str]]) -> list[Any]:
    # Decoding one long text takes less time than decoding each row.
    try:
        values: list[Any] = msgspec.json.decode(f"[{','.join(state for (state,) in rows)}]", type=list[kind])  # type: ignore[valid-type]
        if len(values) == len(rows):
            return values
    except (msgspec.MsgspecError, TypeError, RecursionError):
        pass
    return readable(kind, rows)
