"""Copying a log that grows: events in their order, and with each batch the present state of its tasks.

The target keeps the position up to which events are copied. It changes in the same transaction as the rows, so a copy
that was killed continues where it stopped. The target is complete only when all tables match one state of the source:
see `matching`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice, takewhile

import msgspec

from signalbox.store.moving.errors import UnreadableRow
from signalbox.store.moving.side import CHUNK, DatabaseSide
from signalbox.store.moving.tables import AUDITS, EVENTS, OF_LOGS, PARTS, REWRITING, STANDING, TASKS, Row
from signalbox.store.sql.cold_tasks.stages import ON_THEIR_WAY
from signalbox.store.sql.moved import MOVING_FROM, Moving, to_fact
from signalbox.store.sql.removal import PRESENT

BATCH_EVENTS = 5000
BATCH_BYTES = 8 * 2**20
"""A batch has at most this many events, and ends when its payloads have this many characters."""

COPIED = f"{PRESENT} AND task_id NOT IN ({ON_THEIR_WAY})"
"""The condition that a row of a table of `OF_LOGS` is copied. The others are deleted, or a cold file has them."""

_EVENT_ID, _TASK_ID, _SEQ, _PAYLOAD = EVENTS.places("event_id", "task_id", "seq", "payload")
_LAST_SEQ, _COLD = STANDING.index("last_seq"), STANDING.index("cold")
_REWRITING = [STANDING.index(name) for name in REWRITING]


class Copier:
    """Copies the events after `position`, and tasks. `copied` counts the events.

    `touched` are the tasks whose rows it wrote, and `rewritten` those of them whose events it wrote again.
    `pause_point` is called between two steps, and may raise to end them.
    """

    def __init__(
        self, source: DatabaseSide, target: DatabaseSide, moving: Moving, pause_point: Callable[[], None]
    ) -> None:
        self.source = source
        self.target = target
        self.moving = moving
        self.pause_point = pause_point
        self.copied = 0
        self.touched: set[str] = set()
        self.rewritten: set[str] = set()
        self.unfinished: set[str] = set()
        """The tasks whose rows are copied, but not all of their events. They may go to cold storage before the copy
        comes to these events, and come back after it has passed them."""

    @property
    def position(self) -> int:
        """The event id up to which everything is copied."""
        return self.moving.position

    def copy_events(self) -> int:
        """Copy the next batch with its tasks, inside transactions of both sides. Return the number of events."""
        self.pause_point()
        newest = self.source.last_ids()["task_events"]
        events = self._next_events()
        first, last = dict[str, int](), dict[str, int]()
        for event in events:
            first.setdefault(event[_TASK_ID], event[_SEQ])
            last[event[_TASK_ID]] = event[_SEQ]
        newest_seqs = self.copy_tasks(list(first), first=first)
        for task_id, seq in last.items():
            self.unfinished.discard(task_id)
            if newest_seqs[task_id] > seq:
                self.unfinished.add(task_id)
        for start in range(0, len(events), CHUNK):
            self.target.insert(EVENTS, events[start : start + CHUNK])
        self.moving = msgspec.structs.replace(self.moving, position=events[-1][_EVENT_ID] if events else newest)
        self.target.set_facts({MOVING_FROM: to_fact(self.moving)})
        self.copied += len(events)
        return len(events)

    def copy_interrupted(self) -> None:
        """Copy the unfinished logs anew that went to cold storage and came back.

        All events must be copied as the present transactions see them.
        """
        self.copy_tasks(sorted(self.unfinished))
        self.unfinished.clear()

    def find_unfinished(self) -> None:
        """Find the unfinished tasks in the target of a move that is continued."""
        rows = self.target.rows("SELECT task_id FROM tasks ORDER BY task_id")
        while chunk := [row[0] for row in islice(rows, CHUNK)]:
            standing, copied = self.target.standing(chunk, ("last_seq",)), self.target.last_seqs(chunk)
            self.unfinished.update(task_id for task_id, seq in copied.items() if (seq,) != standing[task_id])

    def forget_touched(self) -> None:
        """Forget which tasks were written, because they are compared."""
        self.touched.clear()
        self.rewritten.clear()

    def _next_events(self) -> list[Row]:
        found: list[Row] = []
        size = 0
        rows = self.source.select(
            EVENTS, f"WHERE event_id > ? AND {COPIED} ORDER BY event_id LIMIT {BATCH_EVENTS}", self.moving.position
        )
        for row in rows:
            found.append(row)
            size += len(row[_PAYLOAD])
            if size >= BATCH_BYTES:
                break
        return found

    def copy_tasks(self, task_ids: Iterable[str], *, first: Mapping[str, int] | None = None) -> dict[str, int]:
        """Make the rows of these tasks equal to those of the source, except their events after the position.

        A task that the source no longer has, or has with another identity, is deleted with its events. For the tasks of
        a batch of events, `first` has the seq of the first event in it. Then this raises UnreadableRow if the source
        does not have a task. Returns the newest seqs of the tasks.
        """
        ids, newest = iter(task_ids), dict[str, int]()
        while chunk := list(islice(ids, CHUNK)):
            newest |= self._copy_tasks(chunk, first)
            self.pause_point()
        return newest

    def _copy_tasks(self, task_ids: list[str], first: Mapping[str, int] | None) -> dict[str, int]:
        source, target = (side.standing(task_ids, STANDING) for side in (self.source, self.target))
        newest = {task_id: standing[_LAST_SEQ] for task_id, standing in source.items()}
        if first is not None and (missing := set(task_ids) - source.keys()):
            raise UnreadableRow(f"the task {min(missing)} has events, but no row in the list of tasks")
        left_out = self.source.on_their_way()
        # Events before this batch, or before the position, are missing: the log was in cold storage meanwhile.
        expected = newest if first is None else {task_id: seq - 1 for task_id, seq in first.items()}
        interrupted = {
            task_id
            for task_id, seq in self.target.last_seqs(list(source.keys() & target.keys())).items()
            if not source[task_id][_COLD] and task_id not in left_out and seq != expected[task_id]
        }
        different = [name for name in task_ids if name in interrupted or source.get(name) != target.get(name)]
        if not different:
            return newest
        gone = {name for name in target if name not in source or _is_rewritten(source[name], target[name])}
        gone |= interrupted
        # A new task has earlier events only if it was in cold storage when the copy passed them.
        restored = {name for name in source.keys() - target.keys() if first is None or first[name] > 1}
        if gone:
            self.target.delete_tasks(sorted(gone))
            self._copy_erased_audits(sorted(gone))
        since = {
            task_id: target[task_id][_LAST_SEQ] if task_id in target and task_id not in gone else 0
            for task_id in different
            if task_id in source
        }
        self.target.replace(TASKS, self.source.of_tasks(TASKS, list(since)))
        of_logs = {task_id: seq for task_id, seq in since.items() if task_id not in left_out}
        for part in PARTS:
            self.target.replace(part, self.source.changed(part, of_logs if part in OF_LOGS else since))
        for task_id in sorted((gone | restored) & of_logs.keys()):
            self._copy_earlier_events(task_id)
        self.touched.update(different)
        self.rewritten |= gone | restored
        return newest

    def _copy_erased_audits(self, task_ids: list[str]) -> None:
        """Copy the audits again that an erasure may have changed. The later ones follow in their order."""
        where, values = self.source.dialect.among("task_id", task_ids)
        changed = self.source.select(AUDITS, f"WHERE {where} AND audit_id <= ?", *values, self.newest_audit())
        self.target.replace(AUDITS, changed)

    def newest_audit(self) -> int:
        """Return the id of the newest audit in the target."""
        (row,) = self.target.rows("SELECT coalesce(max(audit_id), 0) FROM task_audits")
        return int(row[0])

    def _copy_earlier_events(self, task_id: str) -> None:
        """Copy the events of a task up to the position. The later ones follow in their order."""
        # In the order of the index on the task, in which the event ids grow too.
        rows = self.source.select(EVENTS, "WHERE task_id = ? ORDER BY seq", task_id)
        earlier = takewhile(lambda row: row[_EVENT_ID] <= self.position, rows)
        while chunk := list(islice(earlier, CHUNK)):
            self.target.insert(EVENTS, chunk)
            self.pause_point()


def _is_rewritten(source: Row, target: Row) -> bool:
    return any(source[place] != target[place] for place in _REWRITING)
