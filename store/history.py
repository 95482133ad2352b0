"""The state of a task at any seq: its log is folded up to there, starting from the nearest cached state.

Most events of a long log are lines that change only counters. They are counted without being read. Only an erasure
changes events of a log, and the caller then begins with a new `History`. Otherwise a cached state never becomes wrong.
States are cached at multiples of `STEP` and where they were prepared, up to a total size.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence

import msgspec

from signalbox.store.bounded_reads import payload_bytes, rows_within
from signalbox.store.contract import Reading, Store
from signalbox.store.events import Event
from signalbox.store.projections import apply, count
from signalbox.store.state import Task, TaskState, Trace

PAGE_SIZE, FIRST_PAGE = 2000, 50
"""Events per read, and of the first read. Each read may have at most `PAGE_GROWTH` times as many as the one before."""
PAGE_GROWTH = 4

PAGE_BYTES = 8 * 1024 * 1024
"""Bytes of payloads that a read should have. An event may have 256 KiB."""

STEP = 10_000
"""States are cached at multiples of this seq."""

CACHE_BYTES = 24 * 1024 * 1024
"""The default size of the cache."""

VIEW_SECONDS = 0.1
"""Seconds after which `prepare` returns its view."""

_Key = tuple[str, int]
"""A task's identity, and a seq."""
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(TaskState)


class History:
    """Folds tasks up to any seq. Use one per store. Caches up to `limit` bytes of the last used states."""

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self._limit = limit
        self._cache: OrderedDict[_Key, bytes] = OrderedDict()
        self._size = 0
        self._folding = asyncio.Lock()

    async def state_at(self, view: Reading, task_id: str, seq: int) -> TaskState:
        """Return the state of a task after its event `seq`, or after its last event. Raises UnknownTask.

        The state after the last event also has the present values that are stored outside the log.
        """
        task = await view.task(task_id)
        target = min(seq, task.latest_seq)
        cached = self._nearest(task, target)
        stored = await view.folded_state(task_id, target, cached)
        state = await self._fold_up_to(view, stored or self._cached(task, cached), target, keep=stored is None)
        if state.task.latest_seq == task.latest_seq:
            state.task.archived_at, state.task.stale, state.task.hold = task.archived_at, task.stale, task.hold
        return state

    async def prepare(self, store: Store, task_id: str, seq: int) -> None:
        """Cache the state at a seq, so that `state_at` folds nothing while its caller holds a view.

        The log is folded in short views, and by one caller at a time. Raises UnknownTask.
        """
        more = True
        while more:
            async with self._folding, store.read() as view:
                began = time.monotonic()
                while (more := await self._advance(view, task_id, seq)) and time.monotonic() - began < VIEW_SECONDS:
                    pass

    async def _advance(self, view: Reading, task_id: str, seq: int) -> bool:
        """Fold and cache one more step towards a seq. Return whether another one is left."""
        task = await view.task(task_id)
        target = min(seq, task.latest_seq)
        at = self._nearest(task, target)
        if at == target or await view.folded_state(task_id, target, at) is not None:
            return False
        until = min(target, at - at % STEP + STEP)
        state = await self._fold_up_to(view, self._cached(task, at), until, keep=True)
        self._add_to_cache(state)
        # A state that is longer than the cache is not kept.
        return at < self._nearest(task, target) < target

    async def _fold_up_to(self, view: Reading, state: TaskState, target: int, *, keep: bool) -> TaskState:
        """Fold the events up to a seq into a state. With `keep`, the states at multiples of `STEP` are cached."""
        task_id = state.task.task_id
        limit = min(FIRST_PAGE, PAGE_SIZE)
        while state.task.latest_seq < target:
            at = state.task.latest_seq
            until = min(target, at - at % STEP + STEP)
            changing = await view.changing_events(task_id, at, until, limit)
            if len(changing) == limit:
                until = changing[-1].seq
                most = min(PAGE_GROWTH * limit, PAGE_SIZE)
                limit = rows_within(PAGE_BYTES, len(changing), sum(map(payload_bytes, changing)), most)
            times = await view.times(task_id, at, until)
            if not times:
                break
            # Fold in a thread, so that the event loop can serve streams meanwhile.
            await asyncio.to_thread(fold, state, changing, times)
            if keep and state.task.latest_seq % STEP == 0:
                self._add_to_cache(state)
        return state

    def _nearest(self, task: Task, seq: int) -> int:
        """Return this seq if its state is cached, else the last multiple of `STEP` whose state is, or 0."""
        if (task.identity, seq) in self._cache:
            return seq
        return next((at for at in range(seq - seq % STEP, 0, -STEP) if (task.identity, at) in self._cache), 0)

    def _cached(self, task: Task, seq: int) -> TaskState:
        """Return the cached state at a seq, or the one before the first event."""
        key = (task.identity, seq)
        if key not in self._cache:
            return TaskState(task=before_first_event(task))
        self._cache.move_to_end(key)
        return _decoder.decode(self._cache[key])

    def _add_to_cache(self, state: TaskState) -> None:
        task = state.task
        key = (task.identity, task.latest_seq)
        if key in self._cache:
            return
        self._cache[key] = _encoder.encode(state)
        self._size += len(self._cache[key])
        while self._size > self._limit:
            self._size -= len(self._cache.popitem(last=False)[1])


def before_first_event(task: Task) -> Task:
    """Return a task as it was before its first event."""
    trace = task.trace or Trace()
    return Task(
        task_id=task.task_id,
        identity=task.identity,
        title=None if trace.titled else task.title,
        kind=None if trace.kinded else task.kind,
        project_id=task.project_id,
        metadata=task.metadata,
        created_at=task.created_at,
        updated_at=task.created_at,
        # Before the run chose its own main span, the id of the main span is unknown: leave it empty.
        main_span_id="" if task.main_span_seq else task.main_span_id,
    )


def fold(state: TaskState, changing: Sequence[Event], times: Sequence[str]) -> None:
    """Fold the next events into a state: their times, and those of them that change more than counters."""
    task = state.task
    since = task.latest_seq
    for event in changing:
        count(task, times[task.latest_seq - since : event.seq - since - 1])
        apply(state, event)
    count(task, times[task.latest_seq - since :])
