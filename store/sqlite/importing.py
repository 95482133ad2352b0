"""Putting a whole log back: the events of an export, with the seqs, times and keys that they had."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

import msgspec

from store.contract import TaskRecord
from store.errors import Conflict, InvalidEvent
from store.events import Event, check_task_id, check_text, check_time, encode_payload, new_id
from store.projections import apply
from store.sqlite.append import create_task, load_head, load_task, save_listed, save_state
from store.sqlite.rows import INSERT
from store.state import Task, TaskState


def import_task(db: sqlite3.Connection, record: TaskRecord, events: Iterable[Event], project_id: str) -> Task:
    """Make the task of `record` in a project with the log `events`, of which all that the store knows is folded."""
    task_id = check_task_id(record.task_id)
    check_text(record.title, "title", optional=True, limit=512)
    check_text(record.kind, "kind", optional=True)
    check_text(record.main_span_id or None, "main_span_id", optional=True)
    check_time(record.created_at, "created_at")
    if load_task(db, task_id) is not None:
        raise Conflict(f"there is a task {task_id} already")
    create_task(db, task_id, record.title, record.kind, record.metadata, project_id)
    task, next_id = load_head(db, task_id)
    task.created_at = task.updated_at = record.created_at
    task.main_span_id = record.main_span_id
    state = TaskState(task=task)
    try:
        db.executemany(INSERT, _rows(state, events, next_id))
    except sqlite3.IntegrityError as error:
        raise InvalidEvent("two events have the same key", "key") from error
    task.main_span_id = task.main_span_id or new_id()
    save_state(db, state, 0)
    db.execute("UPDATE tasks SET created_at = ? WHERE task_id = ?", (task.created_at, task_id))
    save_listed(db, task)
    return task


def _rows(state: TaskState, events: Iterable[Event], next_id: int) -> Iterator[tuple[object, ...]]:
    task_id = state.task.task_id
    for seq, given in enumerate(events, 1):
        if given.seq != seq:
            raise InvalidEvent(f"the log has #{given.seq} where #{seq} must be", "seq")
        event = msgspec.structs.replace(given, event_id=next_id + seq - 1, task_id=task_id)
        payload = _checked(event)
        tells = apply(state, event)
        yield (
            event.event_id,
            task_id,
            seq,
            event.event_type,
            event.phase,
            event.actor,
            event.span_id,
            event.parent_span_id,
            payload.decode(),
            event.created_at,
            event.key,
            None if tells else 1,
        )


def _checked(event: Event) -> bytes:
    """The payload of an event that could have been appended. Raises InvalidEvent."""
    check_text(event.event_type, "event_type")
    check_text(event.actor, "actor")
    check_text(event.span_id, "span_id")
    for name in ("phase", "parent_span_id", "key"):
        check_text(getattr(event, name), name, optional=True)
    check_time(event.created_at, "created_at")
    try:
        return encode_payload(event.payload)
    except RecursionError:
        raise InvalidEvent("payload is nested too deeply", "payload") from None
