"""A commit of one process wakes the others, with each transport."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager

from signalbox.store.bus import Bus
from signalbox.store.bus.transport import Transport

MakeBus = Callable[[], Bus]


class Woken:
    """Counts the calls of a watch, and waits for the next one."""

    def __init__(self, bus: Bus) -> None:
        self.calls = 0
        self._event = asyncio.Event()
        self.watch = bus.watch(self._called)

    def _called(self) -> None:
        self.calls += 1
        self._event.set()

    async def next(self) -> None:
        async with asyncio.timeout(60):
            await self._event.wait()
        self._event.clear()

    async def never(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        assert not self._event.is_set()


async def listening(bus: Bus) -> Woken:
    """Return a watch that has begun to listen: it is called once when it begins."""
    woken = Woken(bus)
    await woken.next()
    return woken


async def test_a_commit_wakes_the_other_processes_and_not_its_own(make_bus: MakeBus) -> None:
    one, two, three = (make_bus() for _ in range(3))
    wakes = [await listening(bus) for bus in (one, two, three)]
    one.committed()
    await asyncio.gather(wakes[1].next(), wakes[2].next())
    await wakes[0].never(0.05)


async def test_many_commits_share_few_wake_ups(make_bus: MakeBus) -> None:
    writer, woken = make_bus(), await listening(make_bus())
    before, started = woken.calls, time.monotonic()
    writer.committed()
    await woken.next()
    for _ in range(200):
        writer.committed()
        await asyncio.sleep(0.0005)
    await woken.next()
    await asyncio.sleep(0.05)
    assert 2 <= woken.calls - before <= (time.monotonic() - started) / 0.005 + 1


async def test_the_last_commit_before_a_process_ends_wakes_the_others(make_bus: MakeBus) -> None:
    writer, woken = make_bus(), await listening(make_bus())
    writer.committed()
    await woken.next()
    writer.committed()
    await asyncio.to_thread(writer.close)
    await woken.next()


async def test_a_bus_with_another_transport_keeps_its_watches(
    make_transport: Callable[[], Transport], make_bus: MakeBus
) -> None:
    class Elsewhere:
        """Listens to nothing, and sends to nobody, until it is closed."""

        async def publish(self, origin: str) -> None:
            await asyncio.Event().wait()

        @asynccontextmanager
        async def listen(self) -> AsyncGenerator[AsyncIterator[str]]:
            yield self.nothing()

        async def nothing(self) -> AsyncGenerator[str]:
            await asyncio.Event().wait()
            yield ""

        async def aclose(self) -> None:
            pass

    one, two = Bus(Elsewhere()), make_bus()
    try:
        here, there = await listening(one), await listening(two)
        one.committed()
        one.use(make_transport())
        # It listens to the other transport, and sends there what it could not send before.
        await asyncio.gather(here.next(), there.next())
        two.committed()
        await here.next()
        one.committed()
        await there.next()
    finally:
        await asyncio.to_thread(one.close)


async def test_a_watch_is_not_called_while_it_ignores_wake_ups(make_bus: MakeBus) -> None:
    writer, bus = make_bus(), make_bus()
    woken = await listening(bus)
    other = Woken(bus)
    woken.watch.ignore()
    writer.committed()
    await other.next()
    await woken.never(0.05)
    woken.watch.listen()
    writer.committed()
    await asyncio.gather(woken.next(), other.next())
    woken.watch.close()
    writer.committed()
    await other.next()
    await woken.never(0.05)


async def test_a_lost_wake_up_cannot_hide_between_connecting_and_listening(
    make_transport: Callable[[], Transport],
) -> None:
    sender, listener = make_transport(), make_transport()
    async with listener.listen() as origins:
        await sender.publish("other")
        async with asyncio.timeout(60):
            assert await anext(origins) == "other"
    await sender.aclose()
    await listener.aclose()
