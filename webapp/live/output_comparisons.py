"""Comparisons of the output of two ended runs, each made once, in a thread.

A thread compares one pair at a time, so that many requests do not slow down the event loop together.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict

from signalbox.store import Store, UnknownTask
from signalbox.store.bounded_reads import FIRST_STEP, events_within
from signalbox.store.state import Task
from signalbox.webapp.views.compared_output import ComparedOutput, RunOutput, compared_output

PAGE_EVENTS, PAGE_BYTES = 2000, 8 * 1024 * 1024
"""Events, and bytes of their payloads, per read."""

KEPT = 8
"""Comparisons that are kept. Each has at most a few hundred lines."""

_Key = tuple[tuple[str, int, str, str], ...]


class Cancelled(Exception):
    """Nobody waits for the comparison any more."""


class OutputComparisons:
    """Compares outputs, and keeps the last results. The log of an ended run rarely grows, so a result stays valid."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[_Key, ComparedOutput] = OrderedDict()
        self._one_at_a_time = asyncio.Lock()

    async def of(self, a: Task, b: Task) -> ComparedOutput:
        """Compare the output of two runs up to their newest events. Raises StoreError.

        If the caller is cancelled, the comparison ends too.
        """
        key = await self._key(a, b)
        async with self._one_at_a_time:
            # `forget` replaces the dict, so a result that is older lands in the discarded one.
            kept = self._kept
            if key not in kept:
                kept[key] = await self._compare(a, b)
                if len(kept) > KEPT:
                    kept.popitem(last=False)
            kept.move_to_end(key)
            return kept[key]

    def forget(self) -> None:
        """Forget all results, because an event was erased."""
        self._kept = OrderedDict()

    async def _key(self, *tasks: Task) -> _Key:
        """Return a value that differs if the output of one of the tasks differs.

        An erasure changes it without a new seq. After a restored backup, another event may have the newest seq.
        """
        async with self._store.read() as view:
            standings = await view.standings([task.task_id for task in tasks])
        erased_at = {task_id: standing.erased_at for task_id, standing in standings.items()}
        return tuple(
            (task.identity, task.latest_seq, task.updated_at, erased_at.get(task.task_id, "")) for task in tasks
        )

    async def _compare(self, a: Task, b: Task) -> ComparedOutput:
        first, second = [await self._output(task) for task in (a, b)]
        stop = threading.Event()

        def pause_point() -> None:
            if stop.is_set():
                raise Cancelled

        try:
            return await asyncio.to_thread(compared_output, first, second, pause_point)
        finally:
            stop.set()

    async def _output(self, task: Task) -> RunOutput:
        """Read the output of a run. Each read is short, so that it holds no connection for long."""
        output, seq, room = RunOutput(), 0, True
        while room and seq < task.latest_seq:
            async with self._store.read() as view:
                if (await view.head(task.task_id)).identity != task.identity:
                    raise UnknownTask(task.task_id)
                steps = (FIRST_STEP, PAGE_EVENTS)
                events, _ = await events_within(view, task.task_id, seq, PAGE_EVENTS, PAGE_BYTES, steps=steps)
            if not events:
                break
            seq = events[-1].seq
            room = await asyncio.to_thread(output.add_all, events)
        return output
