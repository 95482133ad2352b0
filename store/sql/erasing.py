"""Erasing the content of events: each gets a tombstone, and everything that was computed from it is computed again.

The log is folded twice in short steps, once as it is and once with the tombstones, and the parts that differ are
written in one short transaction. So an erasure delays other writers little, however long the log is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from signalbox.store.chain.heads import SigningKey
from signalbox.store.chain.links import LINK_BYTES
from signalbox.store.chain.tombstones import erased, is_tombstone
from signalbox.store.errors import Conflict, NotFound, UnknownTask
from signalbox.store.events import Event
from signalbox.store.history import before_first_event
from signalbox.store.identity import check_identity
from signalbox.store.projections import apply
from signalbox.store.sql import artifacts, audits, conversation, diagnosing, tags, unfinished
from signalbox.store.sql.append import load_head
from signalbox.store.sql.cold_tasks.moving import cancel_packing
from signalbox.store.sql.database import Database
from signalbox.store.sql.rows import COLUMNS, event_of
from signalbox.store.sql.searching import index as search_index
from signalbox.store.sql.task_state import save_listed, save_state
from signalbox.store.state import TaskState
from signalbox.store.terminal_escapes import plain_json

MAX_EVENTS = 10_000
"""Events that one call can erase."""

STEP = 500
"""Events that one step folds."""

_PARTS: tuple[tuple[str, str, str], ...] = (
    ("phases", "task_phases", "phase"),
    ("spans", "task_spans", "span_id"),
    ("checkpoints", "task_checkpoints", "checkpoint_id"),
    ("permissions", "task_permissions", "request_id"),
    ("artifacts", "task_artifacts", "seq"),
    ("messages", "task_messages", "seq"),
)
_KEYS = ("task_checkpoints", "task_permissions")
"""The tables whose key is stored in the form of `Dialect.stored_key`."""


class Erasure:
    """The erasure of some events of one task.

    Call `begin` in a transaction. Then read events with `following` in a transaction and fold them after its commit,
    until there are none, and call `write` in a transaction; do both again until `write` returns True.
    """

    def __init__(
        self,
        task_id: str,
        seqs: Sequence[int],
        audit: audits.AuditRow,
        reason: str,
        key: SigningKey,
        identity: str | None,
    ) -> None:
        self._task_id, self._seqs = task_id, sorted(set(seqs))
        self._audit, self._reason, self._key, self._identity = audit, reason, key, identity
        self._stones: dict[int, Event] = {}
        self._not_quiet: set[int] = set()
        self._seq = 0
        self._folded_uncommitted = False
        self.contents: list[str] = []
        """The hashes of the contents of erased artifacts. Those that no other artifact has are to be deleted."""

    @property
    def erased(self) -> list[int]:
        """The seqs of the events that get a tombstone. Those that have one already are left as they are."""
        return sorted(self._stones)

    def begin(self, db: Database) -> None:
        """Read the events and make their tombstones. Raises UnknownTask, NotFound and Conflict."""
        task, _, _ = load_head(db, self._task_id, create=False)
        check_identity(self._task_id, self._identity, task.identity)
        self._identity = task.identity
        self._erased_before = self._last_erasure(db)
        self._stones, self._not_quiet, self._seq, self.contents = {}, set(), 0, []
        self._folded_uncommitted = False
        at, (by, *_) = db.now(), self._audit
        among, values = db.dialect.among("seq", self._seqs)
        sql = f"SELECT {COLUMNS}, link FROM task_events WHERE task_id = ? AND {among}"
        rows = db.execute(sql, (self._task_id, *values)).fetchall()
        if missing := set(self._seqs) - {row[2] for row in rows}:
            raise NotFound(f"the task {self._task_id!r} has no event #{min(missing)}")
        for row in rows:
            event, link = event_of(row[:-1]), row[-1]
            if is_tombstone(event.payload):
                continue
            # An event of an earlier version has no link to keep.
            kept = bytes(link) if link is not None else bytes(LINK_BYTES)
            self._stones[event.seq] = erased(event, kept, at, by, self._reason, self._key)
            if event.event_type == "artifact_stored" and isinstance(sha256 := event.payload.get("sha256"), str):
                self.contents.append(sha256)
        self._old, self._new = (TaskState(task=before_first_event(task)) for _ in range(2))
        self._old_entries, self._new_entries = conversation.Entries(), conversation.Entries()

    def following(self, db: Database) -> list[Event]:
        """Return the next events to fold, at most `STEP`.

        Another job of the same transaction may have appended some of them. If it is rolled back, this is called again,
        so do not fold them before the commit.
        """
        self._folded_uncommitted = False  # an earlier `write` was committed
        return self._following(db)

    def _following(self, db: Database) -> list[Event]:
        sql = f"SELECT {COLUMNS} FROM task_events WHERE task_id = ? AND seq > ? ORDER BY seq LIMIT {STEP}"
        return [event_of(row) for row in db.execute(sql, (self._task_id, self._seq)).fetchall()]

    def fold(self, events: Sequence[Event]) -> None:
        """Fold the next events."""
        for event in events:
            apply(self._old, event)
            self._old_entries.add(self._old, event)
            seen = self._stones.get(event.seq, event)
            if apply(self._new, seen) and seen is not event:
                self._not_quiet.add(event.seq)
            self._new_entries.add(self._new, seen)
            self._seq = event.seq

    def write(self, db: Database) -> bool:
        """Replace the events and all that differs, and add the audit. Return False if more events must be folded."""
        task, _, link = load_head(db, self._task_id, create=False)
        if task.identity != self._identity:
            raise UnknownTask(self._task_id)
        if self._last_erasure(db) != self._erased_before or self._folded_uncommitted:
            # What was folded has the content of events that were erased meanwhile, or events of a transaction that was
            # rolled back.
            self.begin(db)
            return False
        if task.latest_seq > self._seq:
            following, self._folded_uncommitted = self._following(db), True
            self.fold(following)
            if len(following) == STEP:
                return False
        if task.latest_seq != self._seq:
            raise Conflict("the log has gaps, so nothing can be computed from it; `signalbox doctor` says what to do")
        if not self._stones:
            return True
        cancel_packing(db, self._task_id)
        self._replace_events(db)
        stale, kind = task.stale, task.kind
        changed = self._changed_parts(db)
        for name in task.__struct_fields__:
            if (value := getattr(self._new.task, name)) != getattr(self._old.task, name):
                setattr(task, name, value)
        changed.task = task
        save_state(db, changed, 0, link)
        tags.replace(db, task)
        save_listed(db, task)
        db.execute("UPDATE tasks SET stale = ?, erased_at = ? WHERE task_id = ?", (stale, db.now(), self._task_id))
        if self._new_entries.found != self._old_entries.found:
            db.execute("DELETE FROM task_conversation WHERE task_id = ?", (self._task_id,))
            conversation.record_all(db, self._task_id, self._new_entries.found)
        artifacts.abandon(db, self.contents)
        unfinished.clear(db, self._task_id)
        diagnosing.update(db, task)
        self._erase_audits(db)
        search_index.changed(db, self._task_id, self.erased)
        if task.kind != kind:
            search_index.kind_changed(db, self._task_id)
        db.execute(search_index.COUNT, (search_index.ERASURES,))
        db.take_event_id()
        audits.add(db, self._audit, self._task_id, self.erased[0] if len(self.erased) == 1 else None)
        return True

    def _last_erasure(self, db: Database) -> str | None:
        """Return when events of the task were erased last. Raises Conflict if the task is held."""
        sql = "SELECT hold, erased_at FROM tasks WHERE task_id = ?"
        hold, erased_at = db.execute(sql, (self._task_id,)).fetchone()
        if hold is not None:
            raise Conflict(f"the task {self._task_id!r} is held, so none of its events can be erased; release it first")
        return None if erased_at is None else str(erased_at)

    def _replace_events(self, db: Database) -> None:
        rows = []
        for seq, stone in self._stones.items():
            payload = bytes(stone.payload_json).decode()
            quiet = None if seq in self._not_quiet else 1
            rows.append((seq, stone.event_type, payload, plain_json(payload), quiet))
        db.replace_payloads(self._task_id, rows)

    def _changed_parts(self, db: Database) -> TaskState:
        """Return the parts that differ. Parts that no longer exist are deleted."""
        changed = TaskState(task=self._new.task)
        for noun, table, key in _PARTS:
            old: Mapping[Any, Any] = getattr(self._old, noun)
            new: Mapping[Any, Any] = getattr(self._new, noun)
            found = {name: part for name, part in new.items() if old.get(name) != part}
            setattr(changed, noun, found)
            for name in old.keys() - new.keys():
                stored = db.dialect.stored_key(name) if table in _KEYS else name
                db.execute(f"DELETE FROM {table} WHERE task_id = ? AND {key} = ?", (self._task_id, stored))
        return changed

    def _erase_audits(self, db: Database) -> None:
        """Remove the content of the events from the audits of the actions that they record."""
        among, values = db.dialect.among("seq", self.erased)
        db.execute(
            f"UPDATE task_audits SET detail = ? WHERE task_id = ? AND identity = ? AND {among}",
            (msgspec.json.encode({"erased": True}).decode(), self._task_id, self._identity, *values),
        )
