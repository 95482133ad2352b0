"""A watched task: the replica of its state, from which the frames of its pages are rendered without a read.

A replica is read for the first frame, and then follows the tail. If it cannot follow an event, or if the task changes
without an event, it is dropped, and another one is read for the next frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from signalbox.store import Event, Store, StoreDamaged
from signalbox.store.contract import Standing
from signalbox.store.replica import Replica, ReplicaReading
from signalbox.store.state import Task
from signalbox.webapp.live.renderer import NotInMemory
from signalbox.webapp.live.ring import Ring
from signalbox.webapp.live.shared_reads import SharedReads
from signalbox.webapp.views import task as task_views

logger = structlog.get_logger("signalbox.live")

READS_BETWEEN_LOADS = 16
"""After a replica was dropped early, this many frames are read from the store before another replica is loaded."""

WORTH_FRAMES = 2
"""A replica was dropped early if it rendered fewer frames than this, because reading it costs more than they saved."""

UNREADABLE = b'{"message":"this event cannot be read'
"""The beginning of the payload of an event whose stored payload is damaged."""


class WatchedTask:
    """The replica of the task of one channel, and the events of its `ring` that a page may lack."""

    def __init__(self, store: Store, task_id: str, ring: Ring) -> None:
        self._store = store
        self.task_id = task_id
        self._ring = ring
        self._replica: Replica | None = None
        self._reads = SharedReads()
        self._version = 0
        self._standing: Standing | None = None
        self._frames = 0
        self._reads_before_load = 0

    @property
    def task(self) -> Task | None:
        """The task, if there is a replica."""
        return self._replica.task if self._replica else None

    def reading(self, cursor: int) -> ReplicaReading:
        """Return a reading for a page at `cursor`. Raises NotInMemory if memory lacks what the page needs.

        The reading is valid until the caller yields to the event loop.
        """
        replica = self._replica
        if replica is None or replica.unfinished is None or cursor > replica.seq:
            raise NotInMemory
        events = self._ring.events_between(cursor, replica.seq)
        if events is None or any(map(_is_unreadable, events)):
            raise NotInMemory
        # Rows are indented by the depth of their spans.
        if not replica.has_ancestors(events):
            raise NotInMemory
        self._frames += 1
        return ReplicaReading(replica, events)

    def follow(self, events: Sequence[Event]) -> None:
        """Fold new events of the task, which the ring already has, into the replica."""
        if self._replica is None:
            return
        try:
            # The store has folded the payload as it was before the damage.
            followed = not any(map(_is_unreadable, events)) and all(map(self._replica.fold, events))
        except Exception as error:
            logger.error("an event could not be folded", task_id=self.task_id, exc_info=error)
            followed = False
        if not followed:
            if self._frames < WORTH_FRAMES:
                self._reads_before_load = READS_BETWEEN_LOADS
            self.forget()

    def check(self, standing: Standing) -> None:
        """Drop the replica if the task has changed without an event since it was read."""
        self._standing = standing
        if self._replica and not self._replica.check(standing):
            self.forget()

    def forget(self) -> None:
        """Drop the replica. A read that has begun does not replace it."""
        self._version += 1
        self._replica = None

    async def load(self) -> None:
        """Read the replica if there is none, and the unfinished lines if they have changed. Raises StoreError.

        Callers at the same time share the read.
        """
        if self._replica is not None and self._replica.unfinished is not None:
            return
        if self._replica is None and self._reads_before_load > 0:
            self._reads_before_load -= 1
            return
        await self._reads.wait("", self._load if self._replica is None else self._read_unfinished)

    async def _load(self) -> None:
        version, self._standing = self._version, None
        try:
            async with self._store.read() as view:
                replica = await Replica.load(
                    view, self.task_id, open_spans=task_views.OPEN_SPANS, ended_spans=task_views.ENDED_SPANS
                )
        except StoreDamaged:
            # A frame may not need the damaged part.
            replica = None
        if replica is None:
            self._reads_before_load = READS_BETWEEN_LOADS
            return
        missed = self._ring.events_between(replica.seq, max(replica.seq, self._ring.head))
        # A check during the read may have seen a later state than the read.
        is_current = self._standing is None or replica.check(self._standing)
        if version == self._version and missed is not None and is_current:
            self._replica, self._frames = replica, 0
            self.follow(missed)

    async def _read_unfinished(self) -> None:
        replica = self._replica
        if replica is None:
            return
        changed_at = replica.unfinished_at
        async with self._store.glance() as view:
            unfinished = await view.unfinished(self.task_id)
        # They may have changed again during the read.
        if replica.unfinished_at == changed_at:
            replica.unfinished = unfinished


def _is_unreadable(event: Event) -> bool:
    """Return whether the stored payload may be damaged. A brief view shows a long one in another way."""
    return bytes(memoryview(event.payload_json)[: len(UNREADABLE)]) == UNREADABLE
