"""The tail, on a real file that somebody else writes to."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

from signalbox.store import Event, NewEvent, Store, open_store
from signalbox.store.tail import Tail
from signalbox.store.wake import Wake

NEVER = 3600.0
REST = 0.05

Looks = list[list[int]]


def line(text: str) -> NewEvent:
    return NewEvent(event_type="log", payload={"message": text})


def watching(
    tmp_path: Path, write: Callable[[Store, Looks], Coroutine[None, None, None]], rest: Callable[[], float]
) -> Looks:
    """What a tail that is told of commits by the file alone hands on, look by look, while `write` appends elsewhere."""
    url = f"sqlite:///{tmp_path}/signalbox.db"
    looks: Looks = []

    def deliver(events: Sequence[Event]) -> None:
        if events:
            looks.append([event.seq for event in events])

    async def follow() -> None:
        store, other = open_store(url), open_store(url)
        other.create_task("t")
        tail = Tail(store, deliver, Wake(store, poll_interval=NEVER, max_poll_interval=NEVER), pause=rest)
        await tail.start()
        try:
            await asyncio.wait_for(write(other, looks), 30)
        finally:
            await tail.stop()
            await store.aclose()
            await other.aclose()

    asyncio.run(follow())
    return looks


async def seen(looks: Looks, seq: int) -> None:
    while not looks or looks[-1][-1] < seq:  # noqa: ASYNC110 (what is waited for is the product's, and sets no event)
        await asyncio.sleep(0.002)


def test_what_comes_while_the_tail_rests_is_read_together_all_of_it_in_order(tmp_path: Path) -> None:
    took = 0.0

    async def write(store: Store, looks: Looks) -> None:
        nonlocal took
        began = time.monotonic()
        for number in range(300):
            store.append("t", line(str(number)))
            await asyncio.sleep(0)
        await seen(looks, 300)
        took = time.monotonic() - began

    looks = watching(tmp_path, write, lambda: REST)
    assert [seq for look in looks for seq in look] == list(range(1, 301))
    assert len(looks) <= math.ceil(took / REST) + 1


def test_a_commit_during_a_rest_needs_no_other_wake_and_one_after_it_is_heard_of(tmp_path: Path) -> None:
    resting = asyncio.Event()

    def rest() -> float:
        resting.set()
        return 4 * REST

    async def write(store: Store, looks: Looks) -> None:
        for first in (1, 3, 5):
            resting.clear()
            store.append("t", line("wakes the tail"))
            await resting.wait()
            store.append("t", line("comes while it rests"))
            await seen(looks, first + 1)

    looks = watching(tmp_path, write, rest)
    assert [seq for look in looks for seq in look] == [1, 2, 3, 4, 5, 6]
