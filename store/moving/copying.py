"""Copying a log that grows: events in their order, and with each batch the present state of its tasks.

The target keeps the position up to which events are copied. It changes in the same transaction as the rows, so a copy
that was killed continues where it stopped. The target is complete only when all tables match one state of the source:
see `matching`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

import msgspec

from signalbox.store.moving.errors import UnreadableRow
from signalbox.store.moving.side import CHUNK, DatabaseSide
from signalbox.store.moving.tables import EVENTS, PARTS, STANDING, TASKS, Row
from signalbox.store.sql.moved import MOVING_FROM, Moving, to_fact
from signalbox.store.sql.removal import PRESENT

BATCH_EVENTS = 5000
BATCH_BYTES = 8 * 2**20
"""A batch has at most this many events, and ends when its payloads have this many characters."""

_EVENT_ID, _TASK_ID, _PAYLOAD = EVENTS.places("event_id", "task_id", "payload")


class Copier:
    """Copies the events after `position`, and tasks. `copied` counts the events.

    `touched` are the tasks whose rows it wrote. `pause_point` is called between two steps, and may raise to end them.
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

    @property
    def position(self) -> int:
        """The event id up to which everything is copied."""
        return self.moving.position

    def copy_events(self) -> int:
        """Copy the next batch with its tasks, inside transactions of both sides. Return the number of events."""
        self.pause_point()
        newest = self.source.last_ids()["task_events"]
        events = self._next_events()
        self.copy_tasks({event[_TASK_ID] for event in events}, required=True)
        for start in range(0, len(events), CHUNK):
            self.target.insert(EVENTS, events[start : start + CHUNK])
        self.moving = msgspec.structs.replace(self.moving, position=events[-1][_EVENT_ID] if events else newest)
        self.target.set_facts({MOVING_FROM: to_fact(self.moving)})
        self.copied += len(events)
        return len(events)

    def _next_events(self) -> list[Row]:
        found: list[Row] = []
        size = 0
        rows = self.source.select(
            EVENTS, f"WHERE event_id > ? AND {PRESENT} ORDER BY event_id LIMIT {BATCH_EVENTS}", self.moving.position
        )
        for row in rows:
            found.append(row)
            size += len(row[_PAYLOAD])
            if size >= BATCH_BYTES:
                break
        return found

    def copy_tasks(self, task_ids: Iterable[str], *, required: bool = False) -> None:
        """Make the rows of these tasks equal to those of the source, except their events.

        A task that the source no longer has, or has with another identity, is deleted with its events. With `required`
        this raises UnreadableRow instead if the source does not have it.
        """
        ids = iter(task_ids)
        while chunk := list(islice(ids, CHUNK)):
            self._copy_tasks(chunk, required)
            self.pause_point()

    def _copy_tasks(self, task_ids: list[str], required: bool) -> None:
        source, target = (side.standing(task_ids, STANDING) for side in (self.source, self.target))
        if required and (missing := set(task_ids) - source.keys()):
            raise UnreadableRow(f"the task {min(missing)} has events, but no row in the list of tasks")
        different = [task_id for task_id in task_ids if source.get(task_id) != target.get(task_id)]
        if not different:
            return
        gone = [task_id for task_id in target if task_id not in source or source[task_id][1] != target[task_id][1]]
        if gone:
            self.target.delete_tasks(gone)
        since = {
            task_id: target[task_id][2] if task_id in target and task_id not in gone else 0
            for task_id in different
            if task_id in source
        }
        self.target.replace(TASKS, self.source.of_tasks(TASKS, list(since)))
        for part in PARTS:
            self.target.replace(part, self.source.changed(part, since))
        self.touched.update(different)
