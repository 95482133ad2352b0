"""Appending to one task inside a transaction: its events, seq, counters and projections change together."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import msgspec

from signalbox.store.contract.leasing import Fence
from signalbox.store.errors import Conflict, InvalidEvent, TaskIsCold, UnknownTask
from signalbox.store.events import Event, NewEvent, Origin, check_event, new_id
from signalbox.store.identity import check_identity
from signalbox.store.model_calls.marks import PLAIN, concerns_model
from signalbox.store.people import DEFAULT_PROJECT
from signalbox.store.projections import apply, are_plain_lines, consequences, count, refusal
from signalbox.store.sql import audits, conversation, diagnosing, heartbeats, leases, removal, tags, unfinished
from signalbox.store.sql.database import Database
from signalbox.store.sql.rows import COLUMNS, event_of, readable, stored_task
from signalbox.store.sql.task_state import listed_columns, load_state, save_listed, save_state
from signalbox.store.state import ACTIVE_STATUSES, Task, TaskState
from signalbox.store.terminal_escapes import plain_json
from signalbox.store.times import checked_time

Draft = tuple[NewEvent, bytes]
"""A checked event, and its payload as JSON."""

S = TypeVar("S")


def create_task(
    db: Database,
    task_id: str,
    title: str | None = None,
    kind: str | None = None,
    metadata: dict[str, Any] | None = None,
    project_id: str = DEFAULT_PROJECT,
    alone: bool = False,
) -> tuple[Task, bool]:
    """Return the task with this id, which is created if it does not exist, and whether it was created.

    With `alone`, a task of the same kind and project that has not ended is returned instead of a new one. Raises
    InvalidEvent if the project does not exist, and TaskBeingRemoved.
    """
    found = load_task(db, task_id) or (_active_task(db, kind, project_id) if alone else None)
    if found is not None:
        return found, False
    removal.refuse_waiting(db, task_id)
    if not db.execute("SELECT 1 FROM projects WHERE project_id = ?", (project_id,)).fetchone():
        raise InvalidEvent(f"there is no project {project_id!r}", "project_id")
    at = db.now()
    db.take_event_id()
    task = Task(
        task_id=task_id,
        identity=secrets.token_hex(8),
        title=title,
        kind=kind,
        project_id=project_id,
        metadata=metadata or {},
        created_at=at,
        updated_at=at,
        main_span_id=new_id(),
    )
    db.create_task(task)
    if task.tags:
        tags.save(db, task)
    return task, True


def to_draft(event: NewEvent) -> Draft:
    """Check an event and encode its payload. Raises InvalidEvent.

    The payload is decoded again, so that projections see the same values now as when the log is folded later.
    """
    encoded = check_event(event)
    if event.occurred_at is not None:
        event = msgspec.structs.replace(event, occurred_at=checked_time(event.occurred_at, "occurred_at"))
    if event.event_type == "log" and (PLAIN.issuperset(event.payload) or not concerns_model(event)):
        return event, encoded
    return msgspec.structs.replace(event, payload=msgspec.json.decode(encoded)), encoded


def append(
    db: Database,
    task_id: str,
    drafts: Sequence[Draft],
    origin: Origin | None = None,
    identity: str | None = None,
) -> list[Event]:
    """Append all drafts to a task and return one event per draft, in order. The task is created if it does not exist.

    A draft whose idempotency key is already stored returns the stored event. Raises UnknownTask if there is no task
    with the given `identity`, and UnreadableTask.
    """
    task, next_id = load_head(db, task_id, create=identity is None)
    check_identity(task_id, identity, task.identity)
    listed_before, ended_before = listed_columns(task), task.ended_seq
    # Time never goes back within a task, even if the clock is set back or another process's clock is behind.
    at = max(db.now(), task.updated_at)
    stored = _stored_under_keys(db, task_id, drafts)
    plain_lines = are_plain_lines(task, (draft for draft, _ in drafts))
    state = TaskState(task=task) if plain_lines else load_state(db, task, [draft for draft, _ in drafts])
    rows: list[tuple[object, ...]] = []
    heartbeat_seqs: list[int] = []
    entries = conversation.Entries()
    result: list[Event] = []
    automatic: list[Event] = []
    start_seq = task.latest_seq

    def add(draft: NewEvent, payload: bytes, origin: Origin | None = origin) -> Event:
        event = Event(
            event_id=next_id + len(rows),
            task_id=task_id,
            seq=task.latest_seq + 1,
            event_type=draft.event_type,
            phase=draft.phase,
            actor=draft.actor,
            span_id=draft.span_id or task.main_span_id,
            parent_span_id=draft.parent_span_id,
            payload_json=msgspec.Raw(payload),
            created_at=at,
            key=draft.key,
            origin=origin or msgspec.UNSET,
            occurred_at=draft.occurred_at or msgspec.UNSET,
        )
        if draft.event_type != "log":
            event.__dict__["payload"] = draft.payload
        if plain_lines:
            changed = False
            count(task, (at,))
        else:
            changed = apply(state, event)
        if event.event_type == "runner_heartbeat":
            heartbeat_seqs.append(event.seq)
        elif task.conversation_seq:
            entries.add(state, event)
        text = payload.decode()
        rows.append(
            (
                event.event_id,
                task_id,
                event.seq,
                event.event_type,
                event.phase or "",
                event.actor,
                event.span_id,
                event.parent_span_id or "",
                text,
                event.created_at,
                event.key or "",
                origin or "",
                draft.occurred_at or "",
                "" if changed else 1,
                plain_json(text) or "",
            )
        )
        return event

    for draft, payload in drafts:
        if draft.key is not None and draft.key in stored:
            result.append(stored[draft.key])
            continue
        if origin is not None and (reason := refusal(state, draft)):
            raise Conflict(reason)
        event = add(draft, payload)
        result.append(event)
        if draft.key is not None:
            stored[draft.key] = event
        for more in consequences(state, event):
            # An event that repeats a payload of maximum size may exceed the limit. No projection depends on it.
            with suppress(InvalidEvent):
                added = add(*to_draft(more), "server")
                if added.event_type == "permission_response":
                    automatic.append(added)
    if rows:
        db.insert_events(rows)
        if heartbeat_seqs:
            heartbeats.record(db, task_id, heartbeat_seqs)
        if entries.found:
            conversation.record(db, task_id, entries.found)
        save_state(db, state, start_seq)
        for answer in automatic:
            audit = audits.checked(answer.payload["by"], answer.event_type, "remembered answer", answer.payload)
            audits.add(db, audit, task_id, answer.seq)
        if listed_columns(task) != listed_before:
            save_listed(db, task)
            if task.ended_at is not None:
                unfinished.clear(db, task_id)
        if task.ended_seq != ended_before:
            diagnosing.update(db, task, was_ended=ended_before > 0)
    return result


def append_while(
    db: Database, task_id: str, draft: Draft, condition: Callable[[Task], bool], fence: Fence | None = None
) -> Event | None:
    """Append one event if `condition(task)` is true in this transaction, else return None.

    Raises UnknownTask, and LeaseLost if there is a `fence` whose holder has lost its lease.
    """
    leases.check(db, fence)
    task = load_task(db, task_id)
    if task is None:
        raise UnknownTask(task_id)
    return append(db, task_id, [draft], "server")[0] if condition(task) else None


def append_audited(
    db: Database, task_id: str, draft: Draft, audit: audits.AuditRow, identity: str | None = None
) -> Event:
    """Append an event to an existing task and add the audit with its seq.

    An idempotency key that is already stored adds neither. Raises UnknownTask, and Conflict if the stored event is not
    from this server.
    """
    task = load_task(db, task_id)
    if task is None:
        raise UnknownTask(task_id)
    event = append(db, task_id, [draft], "server", identity)[0]
    if event.seq > task.latest_seq:
        audits.add(db, audit, task_id, event.seq)
    elif event.origin != "server":
        raise Conflict(f"the key {event.key!r} is taken by an event that this server did not write")
    return event


def load_head(db: Database, task_id: str, *, create: bool = True) -> tuple[Task, int]:
    """Return the task and the next event id. A task that does not exist is created; without `create` this raises
    UnknownTask. Raises TaskIsCold before anything is written.
    """
    last_id, state, stale, cold = db.head(task_id)
    if cold:
        raise TaskIsCold(task_id)
    if state is not None:
        task = stored_task(task_id, state)
        task.stale = stale
        return task, last_id + 1
    if not create:
        raise UnknownTask(task_id)
    create_task(db, task_id)
    return load_head(db, task_id)


def check_stored_identity(db: Database, task_id: str, identity: str | None) -> None:
    """Raise UnknownTask unless the task with this id has this identity, or any if it is None."""
    row = db.execute("SELECT identity FROM task_event_seq_counters WHERE task_id = ?", (task_id,)).fetchone()
    if row is None:
        raise UnknownTask(task_id)
    check_identity(task_id, identity, row[0])


def load_task(db: Database, task_id: str) -> Task | None:
    """Return the stored projection of a task, or None. Raises UnreadableTask."""
    _, state, _, _ = db.head(task_id)
    return stored_task(task_id, state) if state is not None else None


def _active_task(db: Database, kind: str | None, project_id: str) -> Task | None:
    """Return the newest task of this kind and project that has not ended, or None."""
    # With `|| ''` SQLite uses the index on the status: the index on the project holds all tasks of the project.
    of_kind, values = ("kind IS NULL", []) if kind is None else ("kind = ?", [kind])
    sql = (
        f"SELECT {db.dialect.stored('state')} FROM tasks WHERE status IN ({', '.join('?' * len(ACTIVE_STATUSES))})"
        f" AND {of_kind} AND project_id || '' = ? ORDER BY created_at DESC LIMIT 1"
    )
    return next(iter(readable(Task, db.execute(sql, (*ACTIVE_STATUSES, *values, project_id)).fetchall())), None)


def _stored_under_keys(db: Database, task_id: str, drafts: Sequence[Draft]) -> dict[str, Event]:
    keys = [draft.key for draft, _ in drafts if draft.key is not None]
    if not keys:
        return {}
    is_key, values = ("key = ?", keys) if len(keys) == 1 else db.dialect.among("key", keys)
    sql = f"SELECT {COLUMNS} FROM task_events WHERE task_id = ? AND {is_key}"
    stored = map(event_of, db.execute(sql, (task_id, *values)).fetchall())
    return {event.key: event for event in stored if event.key is not None}
