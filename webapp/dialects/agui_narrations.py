"""What is open in logs at the positions where clients of the AG-UI dialect continue, folded once for all of them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from weakref import WeakValueDictionary

from signalbox.store import Event, Store
from signalbox.store.bounded_reads import events_within
from signalbox.store.identity import check_identity
from signalbox.webapp.dialects.agui import Narration

KEPT = 32
"""Positions that are kept, of all tasks."""

READ_EVENTS, READ_BYTES = 5000, 2 * 1024 * 1024
"""Events that one view reads at most, and about as many bytes of payloads."""


class Narrations:
    """The narrations of logs up to some positions.

    A long log is read in short views and folded in a thread, so that nobody else waits. One caller folds a log at a
    time, and the others continue from its result.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[tuple[str, str, int], Narration] = OrderedDict()
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def at(self, task_id: str, identity: str, seq: int) -> Narration:
        """Return a narration of its own of the events up to `seq`. Raises UnknownTask, TaskReplaced and StoreError."""
        lock = self._locks.setdefault((task_id, identity), asyncio.Lock())
        async with lock:
            # `forget` replaces the dict, so a result that is older lands in the discarded one.
            kept = self._kept
            nearest = max((key[2] for key in kept if key[:2] == (task_id, identity) and key[2] <= seq), default=0)
            narration = kept[task_id, identity, nearest].copy() if nearest else Narration()
            position = nearest
            while position < seq and (events := await self._events_after(task_id, identity, position, seq)):
                await asyncio.to_thread(_fold, narration, events)
                position = events[-1].seq
            kept[task_id, identity, seq] = narration
            kept.move_to_end((task_id, identity, seq))
            if len(kept) > KEPT:
                kept.popitem(last=False)
            return narration.copy()

    def forget(self) -> None:
        """Forget all narrations, because an event was erased or the store has another history."""
        self._kept = OrderedDict()

    async def _events_after(self, task_id: str, identity: str, position: int, seq: int) -> list[Event]:
        async with self._store.read() as view:
            check_identity(task_id, identity, (await view.head(task_id)).identity)
            events, _ = await events_within(view, task_id, position, min(READ_EVENTS, seq - position), READ_BYTES)
        return events


def _fold(narration: Narration, events: Sequence[Event]) -> None:
    for event in events:
        narration.fold(event)
