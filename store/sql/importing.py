"""Import of a whole log: the events of an export, with their original seqs, times and keys."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from signalbox.store.chain.heads import SignedHead, SigningKey
from signalbox.store.contract import TaskRecord
from signalbox.store.errors import Conflict, InvalidEvent, StoreFull
from signalbox.store.events import Event, Origin, check_task_id, check_text, encode_payload, is_claim, new_id
from signalbox.store.projections import apply
from signalbox.store.reserved import is_reserved_kind
from signalbox.store.sql import conversation, diagnosing, heartbeats
from signalbox.store.sql.append import create_task, load_head, load_task
from signalbox.store.sql.database import Database
from signalbox.store.sql.imported_links import ImportedLinks
from signalbox.store.sql.task_state import save_listed, save_state
from signalbox.store.state import Task, TaskState
from signalbox.store.terminal_escapes import plain_json
from signalbox.store.times import check_time, checked_time

_CREATE_LOG = (
    "CREATE TABLE log (task_id, seq INTEGER PRIMARY KEY, event_type, phase, actor, span_id, parent_span_id, payload,"
    " created_at, key, origin, occurred_at, quiet, plain, link, new_link)"
)
_REPEATED_KEY = "SELECT 1 FROM log WHERE key IS NOT NULL GROUP BY key HAVING count(*) > 1 LIMIT 1"
INSERT_BATCH_SIZE = 1000
_ROWS = (
    "SELECT seq + ?, task_id, seq, event_type, phase, actor, span_id, parent_span_id, payload, created_at, key, origin,"
    " occurred_at, quiet, plain, CASE WHEN seq > ? THEN new_link ELSE link END FROM log ORDER BY seq"
)
_INSERT_EVENT = "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class Import:
    """A task and its whole log, checked and folded before the transaction, so that a slow source blocks no writer.

    Until it is written, the log is in a temporary SQLite database, which SQLite moves to disk when it grows.
    """

    def __init__(self, record: TaskRecord, events: Iterable[Event], heads: Sequence[SignedHead] = ()) -> None:
        check_task_id(record.task_id)
        check_text(record.title, "title", optional=True, limit=512)
        check_text(record.kind, "kind", optional=True)
        check_text(record.main_span_id or None, "main_span_id", optional=True)
        check_time(record.created_at, "created_at")
        metadata = msgspec.json.decode(encode_payload(record.metadata, "metadata"))
        task = Task(**msgspec.structs.asdict(record) | {"metadata": metadata}, updated_at=record.created_at)
        if is_reserved_kind(task.kind):
            # This server did not start the imported run, so the run must not count as one of its active runs.
            task.kind = f"{task.kind} (imported)"
        self._state, self._entries = TaskState(task=task), conversation.Entries()
        self._links = ImportedLinks(heads)
        self._log = sqlite3.connect("", check_same_thread=False)
        try:
            self._log.execute(_CREATE_LOG)
            self._log.executemany(_INSERT_EVENT, _rows(self._state, self._entries, self._links, events))
        except sqlite3.OperationalError as error:
            raise StoreFull(f"the imported log cannot be kept: {error}") from error
        if self._log.execute(_REPEATED_KEY).fetchone():
            raise InvalidEvent("two events have the same key", "key")
        task.main_span_id = task.main_span_id or new_id()

    def write(self, db: Database, project_id: str, key: SigningKey) -> Task:
        """Create the task in a project, with its log and its projections. Raises Conflict and InvalidEvent.

        `key` signs how far the log is imported.
        """
        task = self._state.task
        if load_task(db, task.task_id) is not None:
            raise Conflict(f"there is a task {task.task_id} already")
        made, _ = create_task(db, task.task_id, task.title, task.kind, task.metadata, project_id)
        task.project_id, task.identity = project_id, made.identity
        _, next_id, _ = load_head(db, task.task_id)
        rows = self._log.execute(_ROWS, (next_id - 1, self._links.last_given))
        while chunk := rows.fetchmany(INSERT_BATCH_SIZE):
            db.insert_events(chunk)
        heartbeats.record_all(db, task.task_id)
        conversation.record_all(db, task.task_id, self._entries.found)
        save_state(db, self._state, 0, self._links.newest)
        if task.latest_seq:
            self._links.write(db, task.task_id, task.identity, task.latest_seq, key)
        for table in ("tasks", "task_tags"):
            db.execute(f"UPDATE {table} SET created_at = ? WHERE task_id = ?", (task.created_at, task.task_id))
        save_listed(db, task)
        diagnosing.update(db, task)
        return task

    def close(self) -> None:
        """Delete the temporary database."""
        self._log.close()


def _rows(
    state: TaskState, entries: conversation.Entries, links: ImportedLinks, events: Iterable[Event]
) -> Iterator[tuple[object, ...]]:
    task = state.task
    task_id = task.task_id
    for seq, exported in enumerate(events, 1):
        if exported.seq != seq:
            raise InvalidEvent(f"the log has #{exported.seq} where #{seq} must be", "seq")
        check_time(exported.created_at, "created_at")
        if seq == 1:
            # No event is older than its task.
            task.created_at = task.updated_at = min(task.created_at, exported.created_at)
        at = max(exported.created_at, task.updated_at)
        occurred_at = exported.occurred_at
        if occurred_at is not msgspec.UNSET:
            occurred_at = checked_time(occurred_at, "occurred_at")
        # What had no effect in the exported log has none here either.
        origin: Origin | msgspec.UnsetType = msgspec.UNSET if is_claim(exported) else "import"
        event = msgspec.structs.replace(
            exported, task_id=task_id, created_at=at, origin=origin, occurred_at=occurred_at
        )
        encoded = _checked(event)
        text = encoded.decode()
        event = msgspec.structs.replace(event, payload_json=msgspec.Raw(encoded))
        changed = apply(state, event)
        entries.add(state, event)
        yield (
            task_id,
            seq,
            event.event_type,
            event.phase,
            event.actor,
            event.span_id,
            event.parent_span_id,
            text,
            event.created_at,
            event.key,
            None if event.origin is msgspec.UNSET else event.origin,
            None if event.occurred_at is msgspec.UNSET else event.occurred_at,
            None if changed else 1,
            plain_json(text),
            *links.take(exported, event),
        )


def _checked(event: Event) -> bytes:
    """Check an event by the rules for appends and return its encoded payload. Raises InvalidEvent."""
    check_text(event.event_type, "event_type")
    check_text(event.actor, "actor")
    check_text(event.span_id, "span_id")
    for name in ("phase", "parent_span_id", "key"):
        check_text(getattr(event, name), name, optional=True)
    try:
        return encode_payload(event.payload)
    except RecursionError:
        raise InvalidEvent("payload is nested too deeply", "payload") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidEvent(f"the payload of #{event.seq} cannot be read: {error}", "payload") from None
