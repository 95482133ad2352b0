"""The catch-up cache: many clients that are far behind read the log once, and each receives every event in order."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Sequence

import pytest

from signalbox.webapp.live.catch_up_cache import MAX_CACHE_BYTES, SEGMENT_EVENTS, CatchUpCache

LOG = object()


class FakeLog:
    """A log of numbered messages, `size` bytes each, that records the cursor of every read."""

    def __init__(self, latest: int, size: int = 10) -> None:
        self.latest = latest
        self.size = size
        self.reads: list[int] = []

    async def read(self, cursor: int, limit: int) -> Sequence[bytes]:
        self.reads.append(cursor)
        end = min(self.latest, cursor + limit)
        await asyncio.sleep(0)
        return [b"%d".ljust(self.size) % seq for seq in range(cursor + 1, end + 1)]


async def read_all(
    catch_up_cache: CatchUpCache, log: FakeLog, cursor: int = 0, limit: int = SEGMENT_EVENTS
) -> list[int]:
    """Read from `cursor` to the end of the log through the cache; return the seqs."""
    seen: list[int] = []
    while chunk := (await catch_up_cache.take(LOG, cursor, log.read)).after(cursor, limit):
        seen += map(int, chunk.body.split())
        cursor = chunk.to_seq
    return seen


async def test_many_clients_at_one_cursor_read_each_segment_once() -> None:
    log, catch_up_cache = FakeLog(4 * SEGMENT_EVENTS + 7), CatchUpCache()
    for seen in await asyncio.gather(*(read_all(catch_up_cache, log) for _ in range(50))):
        assert seen == list(range(1, log.latest + 1))
    full_segments = [cursor for cursor in log.reads if cursor % SEGMENT_EVENTS == 0 and cursor < 4 * SEGMENT_EVENTS]
    assert full_segments == [0, SEGMENT_EVENTS, 2 * SEGMENT_EVENTS, 3 * SEGMENT_EVENTS]


async def test_clients_at_different_cursors_share_reads_after_their_first_segment() -> None:
    log, catch_up_cache = FakeLog(5 * SEGMENT_EVENTS), CatchUpCache()
    starts = range(3, SEGMENT_EVENTS, 97)
    seqs_of_clients = await asyncio.gather(*(read_all(catch_up_cache, log, start, limit=1 + start) for start in starts))
    for start, seen in zip(starts, seqs_of_clients, strict=True):
        assert seen == list(range(start + 1, log.latest + 1))
    assert sorted(cursor for cursor in log.reads if SEGMENT_EVENTS <= cursor < log.latest) == [
        SEGMENT_EVENTS,
        2 * SEGMENT_EVENTS,
        3 * SEGMENT_EVENTS,
        4 * SEGMENT_EVENTS,
    ]


async def test_an_incomplete_segment_is_not_cached() -> None:
    log, catch_up_cache = FakeLog(5), CatchUpCache()
    assert await read_all(catch_up_cache, log) == [1, 2, 3, 4, 5]
    log.latest = 9
    assert await read_all(catch_up_cache, log) == list(range(1, 10))
    assert await read_all(catch_up_cache, log, 5) == [6, 7, 8, 9]


async def test_the_oldest_segments_are_evicted() -> None:
    log, catch_up_cache = FakeLog(8 * SEGMENT_EVENTS, size=MAX_CACHE_BYTES // SEGMENT_EVENTS // 8), CatchUpCache()
    await read_all(catch_up_cache, log)
    await read_all(catch_up_cache, log)
    assert log.reads.count(0) == 2


async def test_a_forgotten_log_is_read_again() -> None:
    log, catch_up_cache = FakeLog(SEGMENT_EVENTS), CatchUpCache()
    await read_all(catch_up_cache, log)
    catch_up_cache.forget(LOG)
    await read_all(catch_up_cache, log)
    assert log.reads.count(0) == 2


async def test_a_cancelled_reader_cancels_no_shared_read_and_errors_reach_all_readers() -> None:
    log, catch_up_cache, gate = FakeLog(SEGMENT_EVENTS), CatchUpCache(), asyncio.Event()

    async def slow(cursor: int, limit: int) -> Sequence[bytes]:
        await gate.wait()
        return await log.read(cursor, limit)

    async def broken(cursor: int, limit: int) -> Sequence[bytes]:
        await gate.wait()
        raise OSError("the disk is gone")

    first, second = (asyncio.create_task(catch_up_cache.take(LOG, 0, slow)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    gate.set()
    assert (await second).whole
    assert log.reads == [0]

    gate.clear()
    both = [asyncio.create_task(catch_up_cache.take(LOG, SEGMENT_EVENTS, broken)) for _ in range(2)]
    await asyncio.sleep(0)
    gate.set()
    for task in both:
        with pytest.raises(OSError, match="disk"):
            await task
    log.latest = 2 * SEGMENT_EVENTS
    assert (await catch_up_cache.take(LOG, SEGMENT_EVENTS, log.read)).whole


@pytest.mark.long
async def test_readers_at_many_different_cursors_hold_few_bytes() -> None:
    log, catch_up_cache = FakeLog(SEGMENT_EVENTS, size=2000), CatchUpCache()
    segment = await catch_up_cache.take(LOG, 0, log.read)
    tracemalloc.start()
    for cursor in range(SEGMENT_EVENTS):
        segment.after(cursor, SEGMENT_EVENTS)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < segment.size
