"""Appending to one task inside a transaction: its events, seq, counters and projections change together."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Any, TypeVar

import msgspec

from signalbox.store.chain.links import START
from signalbox.store.contract.leasing import Fence
from signalbox.store.errors import Conflict, InvalidEvent, TaskIsCold, UnknownTask
from signalbox.store.events import Event, NewEvent, Origin, check_event, new_id
from signalbox.store.identity import check_identity
from signalbox.store.model_calls.marks import PLAIN, concerns_model
from signalbox.store.people import DEFAULT_PROJECT
from signalbox.store.projections import apply, are_plain_lines, consequences, count_together, refusal
from signalbox.store.sql import audits, conversation, diagnosing, heartbeats, leases, removal, tags, unfinished
from signalbox.store.sql.database import Database
from signalbox.store.sql.rows import COLUMNS, event_of, readable, stored_task
from signalbox.store.sql.searching import index as search_index
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
    task, next_id, link = load_head(db, task_id, create=identity is None)
    check_identity(task_id, identity, task.identity)
    listed_before, ended_before, kind_before = listed_columns(task), task.ended_seq, task.kind
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
        nonlocal link
        seq, kind, span_id = start_seq + len(rows) + 1, draft.event_type, draft.span_id or task.main_span_id
        # Arguments in the order of the fields, as in `rows.event_of`.
        event = Event(
            next_id + len(rows),
            task_id,
            seq,
            kind,
            draft.phase,
            draft.actor,
            span_id,
            draft.parent_span_id,
            msgspec.Raw(payload),
            at,
            draft.key,
            origin or msgspec.UNSET,
            draft.occurred_at or msgspec.UNSET,
        )
        if kind != "log":
            event.__dict__["payload"] = draft.payload
        changed = not plain_lines and apply(state, event)
        if kind == "runner_heartbeat":
            heartbeat_seqs.append(seq)
        elif task.conversation_seq:
            entries.add(state, event)
        text = payload.decode()
        phase, parent, key, occurred_at = (
            draft.phase or "",
            draft.parent_span_id or "",
            draft.key or "",
            draft.occurred_at or "",
        )
        # As in `links.link_of`, which takes longer.
        fields = (
            f"{seq}\n{kind}\n{phase}\n{draft.actor}\n{span_id}\n{parent}\n{at}\n{occurred_at}\n{key}\n{origin or ''}\n"
        )
        link = sha256(link + fields.encode() + payload).digest()
        rows.append(
            (
                next_id + len(rows),
                task_id,
                seq,
                kind,
                phase,
                draft.actor,
                span_id,
                parent,
                text,
                at,
                key,
                origin or "",
                occurred_at,
                "" if changed else 1,
                plain_json(text) or "",
                # sqlite3 looks up an adapter for bytes, which takes longer than the copy.
                bytearray(link),
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
        if plain_lines:
            continue
        for more in consequences(state, event):
            # An event that repeats a payload of maximum size may exceed the limit. No projection depends on it.
            with suppress(InvalidEvent):
                added = add(*to_draft(more), "server")
                if added.event_type == "permission_response":
                    automatic.append(added)
    if rows:
        if plain_lines:
            count_together(task, at, len(rows))
        db.insert_events(rows)
        if heartbeat_seqs:
            heartbeats.record(db, task_id, heartbeat_seqs)
        if entries.found:
            conversation.record(db, task_id, entries.found)
        save_state(db, state, start_seq, link)
        for answer in automatic:
            audit = audits.checked(answer.payload["by"], answer.event_type, "remembered answer", answer.payload)
            audits.add(db, audit, task_id, answer.seq)
        if listed_columns(task) != listed_before:
            save_listed(db, task)
            if task.ended_at is not None:
                unfinished.clear(db, task_id)
            if task.kind != kind_before:
                search_index.kind_changed(db, task_id)
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


def load_head(db: Database, task_id: str, *, create: bool = True) -> tuple[Task, int, bytes]:
    """Return the task, the next event id and the newest link of the log. A task that does not exist is created;
    without `create` this raises UnknownTask. Raises TaskIsCold before anything is written.
    """
    last_id, state, stale, cold, link = db.head(task_id)
    if cold:
        raise TaskIsCold(task_id)
    if state is not None:
        task = stored_task(task_id, state)
        task.stale = stale
        # After a damaged link the chain begins anew, and `signalbox verify` names the event before it.
        return task, last_id + 1, link if link and isinstance(link, bytes) else START
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
    _, state, *_ = db.head(task_id)
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
