"""The records of a spool: what is kept, and in which order it is dropped when the spool is full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from signalbox.store.events import KNOWN_EVENTS, NewEvent
from signalbox.store.times import now

Kind = Literal["event", "task", "artifact", "notice", "hook"]

LINES = frozenset({"log", "runner_heartbeat", "progress_update", "work_item_progress", "token"})
"""Types of events that are dropped first: lines of the log, signs of life, progress, and pieces of streamed answers."""

DROPPED_FIRST, DROPPED_NEXT, DROPPED_LAST = 0, 1, 2
"""The values of `Record.importance`: see `importance_of`."""

COLUMNS = "kind, task_id, identity, importance, is_line, body"
"""The columns of a record without its number, in the order of its fields."""

OVERHEAD = 150
"""Bytes that a record counts in addition to its body."""


class Record(NamedTuple):
    """A kept call. `body` is the JSON of an event or a task; or a header line with the content of an artifact, or with
    the JSON of a coding agent's hook.

    `number` is its place in the order, 0 before it is stored. `is_line` says whether it counts as a line of the log
    when it is dropped.
    """

    kind: Kind
    task_id: str
    identity: str
    importance: int
    is_line: bool
    body: bytes
    number: int = 0

    @property
    def size(self) -> int:
        """The bytes that it counts against the bound."""
        return len(self.body) + OVERHEAD


def event_records(task_id: str, identity: str | None, events: Sequence[NewEvent]) -> list[Record]:
    """Return the records of events, which must have keys. An event without a time of its own gets the present one."""
    at = now()
    return [
        Record(
            "event",
            task_id,
            identity or "",
            importance_of(event.event_type),
            event.event_type == "log",
            msgspec.json.encode(event if event.occurred_at else msgspec.structs.replace(event, occurred_at=at)),
        )
        for event in events
    ]


def task_record(task_id: str, body: dict[str, Any]) -> Record:
    """Return the record of the creation of a task."""
    return Record("task", task_id, "", DROPPED_LAST, False, msgspec.json.encode(body))


def artifact_record(task_id: str, identity: str | None, header: dict[str, Any], content: bytes) -> Record:
    """Return the record of a file. `header` has the parameters and the headers of its request."""
    body = msgspec.json.encode(header) + b"\n" + content
    return Record("artifact", task_id, identity or "", DROPPED_NEXT, False, body)


def importance_of(event_type: str) -> int:
    """Return when an event of this type is dropped.

    The first are `LINES`, then the types that only the program knows and `status`, and last the events that begin and
    end runs and spans, ask for permissions, commit checkpoints, or change the state in another way.
    """
    if event_type in LINES:
        return DROPPED_FIRST
    return DROPPED_LAST if event_type in KNOWN_EVENTS and event_type != "status" else DROPPED_NEXT


class Dropped(msgspec.Struct):
    """The events of one task that were dropped. `key` is the idempotency key of the event that reports them."""

    key: str
    lines: int
    others: int
    first_at: str
    last_at: str


def notice_event(dropped: Dropped) -> NewEvent:
    """Return the event that tells the reader of a log how much is missing."""
    words = []
    if dropped.lines:
        words.append(f"{dropped.lines:,} log line{'' if dropped.lines == 1 else 's'}")
    if dropped.others:
        words.append(f"{dropped.others:,} other event{'' if dropped.others == 1 else 's'}")
    was = "was" if dropped.lines + dropped.others == 1 else "were"
    return NewEvent(
        event_type="log",
        payload={
            "message": f"{' and '.join(words)} {was} dropped while the server was away",
            "level": "warning",
            "dropped_lines": dropped.lines,
            "dropped_events": dropped.others,
            "dropped_since": dropped.first_at,
        },
        key=dropped.key,
        occurred_at=dropped.last_at,
    )
