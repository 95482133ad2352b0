"""Test the search over all tasks: what it finds, its pages and counts, and its index."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from signalbox.store import LogQuery, NewEvent, Store
from signalbox.store.contract import Fence
from signalbox.store.errors import LeaseLost
from signalbox.store.indexing import SearchIndexer
from signalbox.store.loops import Loops
from signalbox.store.search import SearchPage, SearchQuery
from signalbox.store.search.documents import documents_of
from signalbox.store.sql.views.search import PIECE
from tests.support.search_index import FENCE, fill


def log(message: str, **payload: Any) -> NewEvent:
    return NewEvent(event_type="log", payload={"message": message, **payload})


async def search(store: Store, text: str = "", **fields: Any) -> SearchPage:
    async with store.read() as view:
        return await view.search_all(SearchQuery(text=text, **fields), seconds=30)


async def found(store: Store, text: str = "", **fields: Any) -> list[tuple[str, int]]:
    page = await search(store, text, **fields)
    assert page.reached is None
    return [(hit.event.task_id, hit.event.seq) for hit in page.hits]


@pytest.fixture(params=["without index", "with index"])
def prepared(request: pytest.FixtureRequest) -> Any:
    """Return a function that indexes a store, or does not: both must find the same."""

    async def prepare(store: Store) -> None:
        if request.param == "with index":
            # The last block is complete, so that all events are indexed.
            store.append("filler", [log(f"filler {number}") for number in range(32)])
            await fill(store)

    return prepare


async def test_texts_are_found_in_all_tasks_the_newest_first(store: Store, prepared: Any) -> None:
    store.append("a", [log("Disk full"), log('he said "no"'), log("42% of_it"), log("a\\b\nc"), log("ÄRGER im Büro")])
    store.append("b", [log("the disk is FULL"), log("disk full again"), log("e\u0301clair"), log("失败了，再试")])
    store.append(
        "b", NewEvent(event_type="work_item_failed", payload={"error": {"message": "Broken pipe"}, "x": "Hid"})
    )
    store.append("b", NewEvent(event_type="title_changed", payload={"title": "Nightly import"}))
    store.append("b", log("\x1b[31mfai\x1b[0mled to connect"))
    store.append("b", log("so long a text is stored compressed " * 200))
    await prepared(store)
    for text, hits in {
        "disk full": [("b", 2), ("a", 1)],
        "DISK": [("b", 2), ("b", 1), ("a", 1)],
        '"no"': [("a", 2)],
        "42%": [("a", 3)],
        "of_it": [("a", 3)],
        "o__t": [],
        "a\\b\nc": [("a", 4)],
        "ärger": [("a", 5)],
        "büro": [("a", 5)],
        "Éclair": [("b", 3)],
        "试了再": [],
        "失败了": [("b", 4)],
        "broken PIPE": [("b", 5)],
        "Hid": [],
        "nightly": [("b", 6)],
        "failed to": [("b", 7)],
        "stored COMPRESSED": [("b", 8)],
        "work_item": [],
        'a" OR "b': [],
        "NEAR(disk full)": [],
        "disk\0": [],
        "x" * 256: [],
        "nowhere": [],
    }.items():
        assert await found(store, text) == hits, text


async def test_filters_of_events_and_tasks_combine(store: Store, prepared: Any) -> None:
    await store.people.aadd_project("other", "Other", actor="test")
    store.create_task("a", kind="build")
    store.create_task("b", kind="deploy", project_id="other")
    store.append("a", [log("one step", level="error", stream="stderr"), log("two step", level="info")])
    store.append(
        "b", [log("one step"), NewEvent(event_type="status", payload={"message": "last step"}, actor="worker")]
    )
    store.append(
        "b", NewEvent(event_type="runner_exit", payload={"exit_code": 3, "message": "step failed"}, phase="end")
    )
    await prepared(store)
    for filters, hits in (
        ({"level": "ERROR"}, [("a", 1)]),
        ({"stream": "stderr"}, [("a", 1)]),
        ({"event_type": "status"}, [("b", 2)]),
        ({"actor": "worker"}, [("b", 2)]),
        ({"phase": "end"}, [("b", 3)]),
        ({"failures": True, "event_type": "runner_exit"}, [("b", 3)]),
        ({"kind": "build"}, [("a", 2), ("a", 1)]),
        ({"project": "other"}, [("b", 3), ("b", 2), ("b", 1)]),
        ({"projects": ("other",)}, [("b", 3), ("b", 2), ("b", 1)]),
        ({"projects": ("default",)}, [("a", 2), ("a", 1)]),
        ({"projects": ("default",), "project": "other"}, []),
        ({"projects": ()}, []),
        ({"statuses": ("failed",)}, [("b", 3), ("b", 2), ("b", 1)]),
        ({"since": "1h"}, [("b", 3), ("b", 2), ("b", 1), ("a", 2), ("a", 1)]),
        ({"until": "1h"}, []),
    ):
        assert await found(store, "step", **filters) == hits, filters
    assert await found(store, level="error") == [("a", 1)]


async def test_pages_in_both_directions_meet(store: Store, prepared: Any) -> None:
    for number in range(30):
        store.append(f"t{number % 3}", [log(f"needle {number}"), log("hay")])
    await prepared(store)
    everything = await found(store, "needle", limit=100)
    assert len(everything) == 30
    first = await search(store, "needle", limit=12)
    assert first.newer is None
    second = await search(store, "needle", limit=12, before=first.older)
    third = await search(store, "needle", limit=12, before=second.older)
    shown = [(hit.event.task_id, hit.event.seq) for page in (first, second, third) for hit in page.hits]
    assert shown == everything
    assert third.older is None
    back = await search(store, "needle", limit=12, after=third.newer)
    assert [hit.event.event_id for hit in back.hits] == [hit.event.event_id for hit in second.hits]
    assert back.newer is not None
    assert back.older is not None
    newest = await search(store, "needle", limit=12, after=back.newer)
    assert newest.newer is None
    assert [hit.event for hit in newest.hits] == [hit.event for hit in first.hits]


@pytest.mark.long
async def test_a_page_of_long_events_ends_early_and_the_next_one_continues(store: Store, prepared: Any) -> None:
    for _ in range(6):
        store.append("big", [log("needle", data="x" * 250_000) for _ in range(10)])
    await prepared(store)
    page = await search(store, "needle", limit=200)
    assert len(page.hits) == PIECE  # over 4 MB
    seqs = [hit.event.seq for hit in page.hits]
    while page.older is not None:
        page = await search(store, "needle", limit=200, before=page.older)
        seqs += [hit.event.seq for hit in page.hits]
    assert seqs == list(range(60, 0, -1))
    oldest = await search(store, "needle", limit=200, after=0)
    assert [hit.event.seq for hit in oldest.hits] == list(range(PIECE, 0, -1))
    newer = await search(store, "needle", limit=200, after=oldest.newer)
    assert [hit.event.seq for hit in newer.hits] == list(range(2 * PIECE, PIECE, -1))


async def test_counts_have_the_filters_of_the_search(store: Store, prepared: Any) -> None:
    await store.people.aadd_project("secret", "Secret", actor="test")
    store.create_task("a", kind="build")
    store.create_task("b", kind="deploy", project_id="secret")
    store.append("a", [log("needle") for _ in range(3)])
    store.append("b", [log("needle") for _ in range(4)])
    await prepared(store)
    counts = (await search(store, "needle")).counts
    assert (counts.total, counts.more) == (7, False)
    assert counts.kinds == {"deploy": 4, "build": 3}
    assert counts.projects == {"secret": 4, "default": 3}
    assert counts.statuses == {"running": 7}
    assert counts.periods == {"1h": 7, "24h": 7, "7d": 7, "30d": 7}
    counts = (await search(store, "needle", projects=("default",))).counts
    assert counts.total == 3
    assert counts.kinds == {"build": 3}
    assert counts.projects == {"default": 3}


async def test_a_deleted_task_is_never_found_and_leaves_the_index(store: Store) -> None:
    store.append("old", [log(f"secret {number}") for number in range(40)])
    store.append("new", [log(f"open {number}") for number in range(40)])
    await fill(store)
    store.delete_task("old")
    assert await found(store, "secret") == []
    async with store.read() as view:
        changed = (await view.index_parts(0, 1))[0].changed
        before = await view.index_state()
    assert changed[:2] == (0, 1)
    async with store.read() as view:
        documents = documents_of(await view.events_to_index(changed))
    await store.aindex(FENCE, documents, changed)
    async with store.read() as view:
        assert (await view.index_parts(0, 1))[0].changed == ()
        assert (await view.index_state()).blocks < before.blocks
    assert len(await found(store, "open", limit=100)) == 40


async def test_nothing_is_indexed_that_was_read_before_an_erasure(store: Store) -> None:
    store.append("run", [log(f"secret {number}") for number in range(40)])
    await fill(store)
    store.append("run", [log(f"later {number}") for number in range(40)])
    async with store.read() as view:
        erasures, work = await view.erasures(), await view.index_work(8)
        blocks = range(work.next_block, work.end_block)
        documents = documents_of(await view.events_to_index(blocks))
    store.erase_events("run", [60], actor="ann", reason="asked for")
    await store.aindex(FENCE, documents, blocks, next_block=blocks.stop, erasures=erasures)
    async with store.read() as view:
        assert (await view.index_work(8)).next_block == work.next_block
    await fill(store)
    async with store.read() as view:
        assert (await view.index_work(8)).next_block == blocks.stop


async def test_a_task_of_the_same_id_is_found_and_not_its_predecessor(store: Store) -> None:
    store.append("run", [log(f"first life {number}") for number in range(32)])
    await fill(store)
    store.delete_task("run")
    store.append("run", [log("second life")])
    assert await found(store, "first life") == []
    assert await found(store, "second life") == [("run", 1)]


async def test_lines_that_say_why_a_run_failed_are_found_as_failures(store: Store) -> None:
    lines = ("Traceback (most recent call last):", '  File "a.py", line 1, in <module>', "ValueError: broken pump")
    store.append("run", [log(f"line {number}") for number in range(20)])
    store.append("run", [log(text, stream="stderr") for text in lines])
    store.append("run", [log(f"line {number}") for number in range(20)])
    await fill(store)
    assert await found(store, failures=True) == []
    store.append("run", NewEvent(event_type="runner_exit", payload={"exit_code": 1}))
    await fill(store)
    async with store.read() as view:
        failures = (await view.search("run", LogQuery(failures=True))).events
    assert len(failures) > 1
    assert await found(store, failures=True) == [("run", event.seq) for event in reversed(failures)]


async def test_only_the_holder_of_the_lease_changes_the_index(store: Store) -> None:
    await fill(store)
    other = Fence(FENCE.name, "another")
    for write in (store.aopen_index(other), store.aindex(other, [], [1]), store.adrop_index(other, 1)):
        with pytest.raises(LeaseLost):
            await write


async def until(store: Store, condition: Any) -> None:
    async with asyncio.timeout(60):
        while True:
            async with store.read() as view:
                if condition(await view.index_state()):
                    return
            await asyncio.sleep(0.05)


async def test_the_indexer_fills_the_index_and_removes_it(store: Store) -> None:
    store.append("run", [log(f"line {number}") for number in range(400)])
    indexer = SearchIndexer(store, Loops())
    await until(store, lambda state: state.on and state.behind < 16 and state.blocks == 25)
    async with store.read() as view:
        state = await view.index_state()
    assert state.size > 0
    assert state.found_all
    assert state.indexed_until
    await store.arebuild_index()
    await until(store, lambda state: not state.rebuilding)
    await until(store, lambda state: state.on and state.blocks == 25)
    await indexer.stop()
    assert len(await found(store, "line 39", limit=20)) == 11
    indexer = SearchIndexer(store, Loops(), on=False)
    await until(store, lambda state: not state.on and not state.blocks)
    await indexer.stop()
    assert len(await found(store, "line 39", limit=20)) == 11


async def test_the_indexer_forgets_a_deleted_task_also_in_the_newest_part_of_the_log(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signalbox.store.indexing.SWEEP_PAUSE", 0.1)
    store.append("gone", [log(f"secret {number}") for number in range(160)])
    store.append("run", [log(f"line {number}") for number in range(160)])
    indexer = SearchIndexer(store, Loops())
    await until(store, lambda state: state.on and state.blocks == 20)
    store.delete_task("gone")
    await until(store, lambda state: state.blocks == 10)
    await indexer.stop()
    assert len(await found(store, "line 15")) == 11


async def test_all_events_of_a_trace_are_found_by_its_final_kind(store: Store) -> None:
    def span_end(number: int, parent: str | None, service: str) -> NewEvent:
        begun, ended = (f"2026-01-01T00:00:{second:02d}.000000Z" for second in (number, 50))
        payload = {"service": service, "started_at": begun, "message": f"needle {number}"}
        return NewEvent(
            event_type="span_end", span_id=f"{number}", parent_span_id=parent, payload=payload, occurred_at=ended
        )

    store.append("trace", [span_end(number, "0", "backend") for number in range(1, 33)])
    await fill(store)
    # A root span arrives last, and the kind is its service.
    store.append("trace", span_end(0, None, "frontend"))
    assert len(await found(store, "needle", kind="frontend", limit=100)) == 33
    await fill(store)
    assert len(await found(store, "needle", kind="frontend", limit=100)) == 33
    assert await found(store, "needle", kind="backend") == []


async def test_a_change_while_events_are_indexed_gets_into_the_index(store: Store) -> None:
    spawn = NewEvent(event_type="runner_spawn", span_id="main", payload={"command": ["./load.sh"]})
    store.append("run", [spawn, *(log("filler") for _ in range(40))])
    await fill(store)
    traceback = ["Traceback (most recent call last):", '  File "a.py", line 1, in <module>', "OSError: disk full"]
    store.append("run", [log(line, stream="stderr") for line in traceback * 11])
    async with store.read() as view:
        work = await view.index_work(8)
        blocks = range(work.next_block, work.end_block)
        documents = documents_of(await view.events_to_index(blocks))
    # Now some of the lines count as failures.
    store.append("run", NewEvent(event_type="runner_exit", span_id="main", payload={"exit_code": 1}))
    lines = await found(store, "disk full", failures=True, limit=100)
    assert lines
    await store.aindex(FENCE, documents, blocks, next_block=blocks.stop, changes=work.changes)
    assert await found(store, "disk full", failures=True, limit=100) == lines
    await fill(store)
    assert await found(store, "disk full", failures=True, limit=100) == lines
