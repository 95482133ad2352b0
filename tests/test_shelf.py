"""The shelf: a herd that comes back far behind reads a log once, and each of it still sees all of it in order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from signalbox.webapp.live.catch_up_cache import KEPT_BYTES, STRETCH, Shelf

LOG = object()


class Log:
    """Messages 1, 2, 3 … of some size each, and how often they were read."""

    def __init__(self, latest: int, size: int = 10) -> None:
        self.latest = latest
        self.size = size
        self.reads: list[int] = []

    async def read(self, cursor: int, most: int) -> Sequence[bytes]:
        self.reads.append(cursor)
        upto = min(self.latest, cursor + most)
        await asyncio.sleep(0)
        return [b"%d".ljust(self.size) % seq for seq in range(cursor + 1, upto + 1)]


async def walk(shelf: Shelf, log: Log, cursor: int = 0, most: int = STRETCH) -> list[int]:
    """Every message that somebody sees who is at `cursor`."""
    seen: list[int] = []
    while chunk := (await shelf.take(LOG, cursor, log.read)).after(cursor, most):
        seen += map(int, chunk.body.split())
        cursor = chunk.to_seq
    return seen


async def test_a_herd_in_step_reads_each_stretch_once() -> None:
    log, shelf = Log(4 * STRETCH + 7), Shelf()
    for seen in await asyncio.gather(*(walk(shelf, log) for _ in range(50))):
        assert seen == list(range(1, log.latest + 1))
    whole = [cursor for cursor in log.reads if cursor % STRETCH == 0 and cursor < 4 * STRETCH]
    assert whole == [0, STRETCH, 2 * STRETCH, 3 * STRETCH]


async def test_those_who_come_from_anywhere_are_in_step_after_their_first_stretch() -> None:
    log, shelf = Log(5 * STRETCH), Shelf()
    starts = range(3, STRETCH, 97)
    found = await asyncio.gather(*(walk(shelf, log, start, most=1 + start) for start in starts))
    for start, seen in zip(starts, found, strict=True):
        assert seen == list(range(start + 1, log.latest + 1))
    assert sorted(cursor for cursor in log.reads if STRETCH <= cursor < log.latest) == [
        STRETCH,
        2 * STRETCH,
        3 * STRETCH,
        4 * STRETCH,
    ]


async def test_what_is_not_whole_is_not_kept_so_that_what_comes_is_seen() -> None:
    log, shelf = Log(5), Shelf()
    assert await walk(shelf, log) == [1, 2, 3, 4, 5]
    log.latest = 9
    assert await walk(shelf, log) == list(range(1, 10))
    assert await walk(shelf, log, 5) == [6, 7, 8, 9]


async def test_what_was_read_long_ago_makes_room() -> None:
    log, shelf = Log(8 * STRETCH, size=KEPT_BYTES // STRETCH // 8), Shelf()
    await walk(shelf, log)
    await walk(shelf, log)
    assert log.reads.count(0) == 2


async def test_a_log_that_nobody_reads_any_more_is_forgotten() -> None:
    log, shelf = Log(STRETCH), Shelf()
    await walk(shelf, log)
    shelf.forget(LOG)
    await walk(shelf, log)
    assert log.reads.count(0) == 2


async def test_one_who_leaves_takes_nobodys_stretch_along_and_a_failure_is_everybodys() -> None:
    log, shelf, gate = Log(STRETCH), Shelf(), asyncio.Event()

    async def slow(cursor: int, most: int) -> Sequence[bytes]:
        await gate.wait()
        return await log.read(cursor, most)

    async def broken(cursor: int, most: int) -> Sequence[bytes]:
        await gate.wait()
        raise OSError("the disk is gone")

    first, second = (asyncio.create_task(shelf.take(LOG, 0, slow)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    gate.set()
    assert (await second).whole
    assert log.reads == [0]

    gate.clear()
    both = [asyncio.create_task(shelf.take(LOG, STRETCH, broken)) for _ in range(2)]
    await asyncio.sleep(0)
    gate.set()
    for one in both:
        with pytest.raises(OSError, match="disk"):
            await one
    log.latest = 2 * STRETCH
    assert (await shelf.take(LOG, STRETCH, log.read)).whole
