"""Test reading a log without its heartbeats: any page costs the same, however many heartbeats there are."""

from __future__ import annotations

import random
import time

import pytest

from signalbox.store import LogQuery, NewEvent, Store

BEAT = NewEvent(event_type="runner_heartbeat")


def lines(count: int) -> list[NewEvent]:
    return [NewEvent(event_type="log", payload={"n": n}) for n in range(count)]


async def test_pages_of_rows_hold_every_event_except_heartbeats(store: Store) -> None:
    chance = random.Random(9)
    while chance.random() < 0.97:
        store.append("run", [chance.choice((BEAT, *lines(1))) for _ in range(chance.choice((1, 2, 30)))])
    async with store.read() as view:
        latest = (await view.task("run")).latest_seq
        log = [event.seq for event in await view.events("run", 0, 1000) if event.event_type != BEAT.event_type]
        assert (await view.task("run")).rows == len(log) == await view.count_rows("run", latest)
        for _ in range(200):
            place, limit, since = chance.randint(0, latest), chance.choice((1, 2, 7, 50)), chance.randint(0, latest)
            after = await view.rows_after("run", place, limit)
            assert [event.seq for event in after] == [seq for seq in log if seq > place][:limit]
            before = await view.rows_before("run", place + 1, limit, since)
            assert [event.seq for event in before] == [seq for seq in log if since < seq <= place][-limit:]
            assert await view.count_rows("run", place) == sum(seq <= place for seq in log)


async def test_a_new_task_does_not_inherit_heartbeats_of_a_deleted_one(store: Store) -> None:
    store.append("run", [*lines(1), BEAT, BEAT, NewEvent(event_type="runner_exit")])
    store.delete_task("run")
    store.append("run", lines(4))
    async with store.read() as view:
        assert [event.seq for event in await view.rows_before("run", 5)] == [1, 2, 3, 4]


async def test_a_search_finds_heartbeats_only_on_request(store: Store) -> None:
    failing = NewEvent(event_type="runner_heartbeat", payload={"error_code": "x", "level": "error"})
    store.append("run", [*lines(1), BEAT, failing, NewEvent(event_type="work_item_failed")])
    expected = {
        LogQuery(rows=True): [1, 4],
        LogQuery(text="a", rows=True): [4],
        LogQuery(failures=True): [4],
        LogQuery(event_type="runner_heartbeat", rows=True): [2, 3],
        LogQuery(text="heart"): [2, 3],
    }
    async with store.read() as view:
        for query, seqs in expected.items():
            assert [event.seq for event in (await view.search("run", query)).events] == seqs, query
        assert await view.next_failure("run", 0) == 4


@pytest.mark.long
async def test_heartbeats_do_not_slow_paging(store: Store) -> None:
    for task_id, between in (("quiet", [BEAT] * 30_000), ("short", [])):
        store.append(task_id, [*lines(300), *between, *lines(1)])
    elapsed: dict[str, list[float]] = {"short": [], "quiet": []}
    for _ in range(20):
        for task_id, durations in elapsed.items():
            async with store.read() as view:
                latest = (await view.task(task_id)).latest_seq
                started = time.perf_counter()
                assert len(await view.rows_before(task_id, latest + 1, 200)) == 200
                assert [event.seq for event in await view.rows_after(task_id, 300, 200)] == [latest]
                assert await view.count_rows(task_id, latest) == 301
                durations.append(time.perf_counter() - started)
    # The minimum, because any other round may have waited for the processor.
    assert min(elapsed["quiet"]) < 3 * min(elapsed["short"]) + 0.0025
