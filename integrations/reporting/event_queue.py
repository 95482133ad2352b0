"""The bounded queue between the threads of a program and the background writer."""

from __future__ import annotations

import threading
from collections import deque

TYPE_CHECKING = False  # from typing, which takes longer to import than this module
if TYPE_CHECKING:
    from typing import Any

CREATE_TASK = "create task"
"""The type of an item that creates its task. Its payload has the arguments of `create_task`."""


class QueuedEvent:
    """An event that waits to be written, as the arguments of a `NewEvent`. `number` is its place in the queue."""

    __slots__ = ("event_type", "fields", "identity", "number", "payload", "size", "task_id", "time")

    def __init__(
        self,
        task_id: str,
        identity: str | None,
        event_type: str,
        payload: dict[str, Any],
        fields: dict[str, Any],
        time: float | str,
        size: int,
    ) -> None:
        self.task_id, self.identity, self.event_type = task_id, identity, event_type
        self.payload, self.fields, self.time, self.size = payload, fields, time, size
        self.number = 0


class EventQueue:
    """Holds at most `max_items` items and `max_bytes` bytes. Adding never waits for the writer.

    A full queue drops its oldest log line, and if it has none, its oldest item: the end of a run or of a span is worth
    more than a line. `dropped` counts the dropped items of each task until they are reported.
    """

    def __init__(self, max_items: int, max_bytes: int) -> None:
        self._max_items, self._max_bytes = max_items, max_bytes
        # Reentrant, because a signal handler or a finalizer may log while its thread adds an item.
        self._lock = threading.RLock()
        self._lines: deque[QueuedEvent] = deque()
        self._others: deque[QueuedEvent] = deque()
        self._bytes = self._length = 0
        self._dropped: dict[str, tuple[str | None, int]] = {}
        self.last_number = 0
        self.total_dropped = 0

    def __len__(self) -> int:
        return self._length

    @property
    def has_dropped(self) -> bool:
        """Whether items were dropped since the last `take_dropped`."""
        return bool(self._dropped)

    def add(self, item: QueuedEvent) -> None:
        """Add an item, and drop old ones if there is no room."""
        with self._lock:
            self.last_number += 1
            item.number = self.last_number
            (self._lines if item.event_type == "log" else self._others).append(item)
            self._bytes += item.size
            self._length += 1
            if self._length > self._max_items or self._bytes > self._max_bytes:
                self._make_room()

    def take(self, limit: int, max_bytes: int) -> list[QueuedEvent]:
        """Remove and return the oldest items: at most `limit`, and one or those that have `max_bytes` together."""
        taken: list[QueuedEvent] = []
        with self._lock:
            while len(taken) < limit and max_bytes > 0 and (queue := self._oldest()):
                item = queue.popleft()
                self._bytes -= item.size
                self._length -= 1
                max_bytes -= item.size
                taken.append(item)
        return taken

    def take_dropped(self) -> dict[str, tuple[str | None, int]]:
        """Return the identity and the number of dropped items of each task, since the last call."""
        with self._lock:
            dropped, self._dropped = self._dropped, {}
        return dropped

    def _make_room(self) -> None:
        while self._length > self._max_items or (self._bytes > self._max_bytes and self._length > 1):
            dropped = (self._lines or self._others).popleft()
            self._bytes -= dropped.size
            self._length -= 1
            self._count_dropped(dropped)

    def _oldest(self) -> deque[QueuedEvent]:
        lines, others = self._lines, self._others
        if lines and (not others or lines[0].number < others[0].number):
            return lines
        return others

    def _count_dropped(self, item: QueuedEvent) -> None:
        self.total_dropped += 1
        _, before = self._dropped.get(item.task_id, (None, 0))
        self._dropped[item.task_id] = (item.identity, before + 1)
