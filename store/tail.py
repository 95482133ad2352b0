"""The tail, which follows the log of a store. There is one per process, for any number of viewers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence

from signalbox.store.bounded_reads import STEP, bounded_read, events_within, payload_bytes, rows_within
from signalbox.store.contract import Store
from signalbox.store.errors import Conflict, StoreDamaged
from signalbox.store.events import Event
from signalbox.store.identity import check_identity
from signalbox.store.loops import FIRST_PAUSE, Loop, end_tasks
from signalbox.store.wake import Wake

EVENTS_IN_LOOP, BYTES_IN_LOOP = 100, 1024 * 1024
"""Events, and about how many bytes of them, of one read in the event loop's thread."""

READS_IN_LOOP = 3
"""Reads in the event loop's thread before the rest is read in another one. To switch threads costs more than a read."""

PAGE_SIZE, PAGE_BYTES = 2000, 8 * 1024 * 1024
"""Events, and about how many bytes of them, per read in another thread."""

REST_FACTOR, MAX_REST = 40.0, 0.005
"""After a read that found events, the tail rests for this many times the duration of the read, and at most for this
many seconds, unless `max_rest` allows more. So a single event is read at once, but of a thousand per second a few are
read together, because a wake costs more than an event.
"""

CHECK_SECONDS = 1.0
"""Seconds between two checks of `follow` that the open database is still the one at its address.

A program that only reads would not notice that the file was replaced.
"""

log = logging.getLogger("signalbox.tail")


class Tail:
    """Calls `deliver` with every event committed after `start`, in commit order and exactly once.

    `deliver` is called with an empty list after other commits: a task may have been created or deleted.

    `position` is a global `event_id`. After each wake the tail reads from there, so a lost wake loses no event. Before
    that it waits `pause()` seconds, so that events that arrive meanwhile are read together. After a read that found
    events it rests for at most `max_rest()` seconds.

    While the store is unavailable, or `deliver` raises, the tail waits and then continues at its position. `healthy` is
    False meanwhile, and `on_failure` is called. `on_read` is called with the seconds from a wake until its events were
    delivered. When the store has opened a database with another history, the tail calls `on_reset` and continues at the
    end of that log.
    """

    def __init__(
        self,
        store: Store,
        deliver: Callable[[Sequence[Event]], None],
        wake: Wake,
        *,
        pause: Callable[[], float] = lambda: 0.0,
        max_rest: Callable[[], float] = lambda: MAX_REST,
        on_failure: Callable[[], None] = lambda: None,
        on_read: Callable[[float], None] = lambda seconds: None,
        on_reset: Callable[[], None] = lambda: None,
        loop: Loop | None = None,
    ) -> None:
        self._store = store
        self._deliver = deliver
        self._pause = pause
        self._max_rest = max_rest
        self._on_failure = on_failure
        self._on_read = on_read
        self._on_reset = on_reset
        self._generation, self._epoch = store.generation, store.epoch
        self._wake = wake
        self._peek = store.peek()
        self._loop = loop or Loop("tail", max_pause=FIRST_PAUSE)
        self._task: asyncio.Task[None] | None = None
        self._rested = 0.0
        self._in_loop = EVENTS_IN_LOOP
        self.position = 0

    async def start(self) -> None:
        """Move to the end of the log, then follow it in the background."""
        async with self._store.read() as view:
            self.position = await view.latest_event_id()
        self._task = asyncio.create_task(self._loop.run(self._follow, self._report_failure), name="signalbox-tail")

    async def stop(self) -> None:
        """Stop following."""
        await end_tasks(self._task)
        self._wake.close()
        await self._peek.aclose()

    @property
    def healthy(self) -> bool:
        """Whether the last read succeeded."""
        return self._loop.last_error is None

    async def _follow(self) -> None:
        await self._wake.wait()
        if (pause := max(self._pause(), self._rested - time.perf_counter())) > 0:
            await self._wake.pause(pause)
        woken = time.perf_counter()
        found_events = await self._read()
        self._wake.record_read(found_events=found_events)
        if found_events:
            read = time.perf_counter()
            self._rested = read + min(self._max_rest(), REST_FACTOR * (read - woken))
            self._on_read(read - woken)

    def _report_failure(self) -> None:
        self._peek.forget()
        self._on_failure()

    async def _read(self) -> bool:
        if self._store.generation != self._generation:
            await self._follow_reopened()
        if not await self._peek.moved():
            return False
        try:
            return await self._read_new()
        except StoreDamaged as error:
            await self._skip_damaged(error)
            self._peek.forget()
            return True

    async def _read_new(self) -> bool:
        began, step = self.position, PAGE_SIZE
        for _ in range(READS_IN_LOOP):
            events = await self._peek.events_after(self.position, self._in_loop)
            more = len(events) == self._in_loop
            if events:
                size = sum(map(payload_bytes, events))
                self._in_loop = rows_within(BYTES_IN_LOOP, len(events), size, EVENTS_IN_LOOP)
                step = rows_within(PAGE_BYTES, len(events), size, PAGE_SIZE)
            self._deliver_events(events)
            if not more:
                break
            await asyncio.sleep(0)
        while more:
            async with self._store.glance() as view:
                page, more = await bounded_read(
                    lambda last, n: view.events_after(last.event_id if last else self.position, n),
                    PAGE_SIZE,
                    PAGE_BYTES,
                    payload_bytes,
                    steps=(step, PAGE_SIZE),
                )
            self._deliver_events(page)
        return self.position > began

    async def _skip_damaged(self, error: StoreDamaged) -> None:
        """Skip events that cannot be read, so that later ones are still delivered. Raises `error` if there are none."""
        async with self._store.glance() as view:
            newest = await view.latest_event_id()
        while await self._readable(self.position):
            events = await self._peek.events_after(self.position, 1)
            if not events:
                return
            self._deliver_events(events)
        damaged, step = self.position, 1
        while not await self._readable(damaged + step):
            if damaged + step >= newest:
                raise error
            step *= 2
        readable = damaged + step
        while readable - damaged > 1:
            middle = (damaged + readable) // 2
            if await self._readable(middle):
                readable = middle
            else:
                damaged = middle
        log.error("skipping events %d to %d, which cannot be read: %s", self.position + 1, readable, error)
        self.position = readable

    async def _readable(self, event_id: int) -> bool:
        """Return whether the first event after `event_id` can be read."""
        try:
            await self._peek.events_after(event_id, 1)
        except StoreDamaged:
            return False
        return True

    async def _follow_reopened(self) -> None:
        """Continue after the store opened another file: at the same position, or at its end if the history differs."""
        generation, epoch = self._store.generation, self._store.epoch
        async with self._store.read() as view:
            newest = await view.latest_event_id()
        self._wake.watch_again()
        if epoch != self._epoch or newest < self.position:
            log.warning("the log was replaced by another one; its epoch is %s", epoch)
            self.position = newest
            self._on_reset()
        self._generation, self._epoch = generation, epoch

    def _deliver_events(self, events: Sequence[Event]) -> None:
        if events:
            self.position = events[-1].event_id
        self._deliver(events)


async def follow(
    store: Store,
    task_id: str,
    *,
    since_seq: int = 0,
    identity: str | None = None,
    epoch: str | None = None,
    poll_interval: float = 0.05,
) -> AsyncGenerator[Event]:
    """Yield a task's events after `since_seq`, then new ones, each once and in order. For SDKs and commands.

    With `identity` this raises UnknownTask instead of an event of another task that has the id now. Raises Conflict
    once the database was replaced by one with another history than `epoch`, by default the present one.
    """
    epoch, generation, check_at = epoch or store.epoch, store.generation, 0.0
    wake = Wake(store, poll_interval=poll_interval, max_poll_interval=CHECK_SECONDS)
    try:
        cursor = since_seq
        while True:
            if time.monotonic() >= check_at:
                await store.acheck()
                check_at = time.monotonic() + CHECK_SECONDS
            if store.epoch != epoch:
                raise Conflict("the log was replaced by another one; start again from the beginning")
            if store.generation != generation:
                generation = store.generation
                wake.watch_again()
            async with store.glance() as view:
                events, _ = await events_within(view, task_id, cursor, STEP, PAGE_BYTES)
                if events and identity is not None:
                    check_identity(task_id, identity, (await view.head(task_id)).identity)
            for event in events:
                cursor = event.seq
                yield event
            wake.record_read(found_events=bool(events))
            if not events:
                await wake.wait()
    finally:
        wake.close()
