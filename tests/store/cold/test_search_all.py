"""Test that the search over all tasks finds the same before and after tasks move to cold storage, and back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from signalbox.store import NewEvent, Store, open_store
from signalbox.store import indexing as indexing_module
from signalbox.store.cold import pack
from signalbox.store.indexing import SearchIndexer
from signalbox.store.loops import Loops
from signalbox.store.search import IndexProgress, SearchPage, SearchQuery
from tests.store.contract.conftest import KINDS

EVENTS = 300

QUERIES = (
    SearchQuery("needle 7"),
    SearchQuery("hay of t1", limit=20),
    SearchQuery("hay of t1", limit=20, before=500),
    SearchQuery("hay of t1", limit=20, after=500),
    SearchQuery("absent"),
    SearchQuery("needle", kind="kind-2"),
    SearchQuery("needle", projects=("other",)),
    SearchQuery(level="error", limit=200),
    SearchQuery(failures=True, limit=200),
    SearchQuery("needle", statuses=("failed",)),
    SearchQuery("needle", since="1h"),
    SearchQuery("needle", until="1h"),
)


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store with four runs whose events alternate, of which three have ended."""
    monkeypatch.setattr(pack, "MAX_EVENTS", 90)
    monkeypatch.setattr(indexing_module, "SWEEP_PAUSE", 0.1)
    monkeypatch.setattr(indexing_module, "GATHERING", 0.01)
    create: Callable[[Path], str] = request.param
    opened = open_store(create(tmp_path), cold_storage=str(tmp_path / "cold"))
    opened.people.add_project("other", "Other")
    for number in range(4):
        opened.create_task(f"t{number}", kind=f"kind-{number}", project_id="other" if number == 1 else None)
    for at in range(0, EVENTS, 50):
        for number in range(4):
            opened.append(f"t{number}", [line(number, at + place) for place in range(50)])
    for number in range(3):
        exit_code = {"exit_code": int(number == 0), "message": "needle at the end"}
        opened.append(f"t{number}", NewEvent(event_type="runner_exit", payload=exit_code))
    yield opened
    opened.close()


def line(number: int, at: int) -> NewEvent:
    message = f"needle {at}" if at % 50 == 7 else f"hay of t{number} and a bit of straw {at}"
    return NewEvent(event_type="log", payload={"message": message, "level": "error" if at % 100 == 57 else "info"})


async def answers(store: Store) -> list[SearchPage]:
    async with store.read() as view:
        pages = [await view.search_all(query, seconds=30) for query in QUERIES]
    assert [page.unread for page in pages] == [0] * len(pages)
    # How far the index is may differ.
    progress = IndexProgress(on=True, next_block=0, behind=0, indexed_until="")
    return [msgspec.structs.replace(page, index=progress) for page in pages]


async def wait_for_parts(store: Store, condition: Callable[[list[bool]], bool]) -> None:
    async with asyncio.timeout(60):
        while True:
            async with store.read() as view:
                work, parts = await view.index_work(1), await view.index_parts(0, 1)
            if work.next_block >= work.end_block and condition([part.has_filter for part in parts]):
                return
            await asyncio.sleep(0.05)


async def wait_for_removal(store: Store) -> None:
    async with asyncio.timeout(60):
        while True:
            async with store.read() as view:
                if not (await view.index_state()).rebuilding:
                    return
            await asyncio.sleep(0.05)


@pytest.mark.long
async def test_the_answers_stay_the_same(store: Store) -> None:
    expected = await answers(store)
    assert [len(page.hits) for page in expected].count(0) == 2
    indexer = SearchIndexer(store, Loops())
    await wait_for_parts(store, lambda filters: not any(filters))
    assert await answers(store) == expected
    for number in range(3):
        await store.cold.amove(f"t{number}")
        assert await answers(store) == expected
    store.append("t3", NewEvent(event_type="runner_exit", payload={"exit_code": 0}))
    await store.cold.amove("t3")
    moved = await answers(store)
    await wait_for_parts(store, all)
    assert await answers(store) == moved
    async with store.read() as view:
        assert (await view.index_state()).blocks < 64
    await store.arebuild_index()
    await wait_for_removal(store)
    assert await answers(store) == moved
    await wait_for_parts(store, all)
    assert await answers(store) == moved
    await store.cold.arestore("t1")
    assert await answers(store) == moved
    store.delete_task("t2")
    found = await answers(store)
    assert not [hit for page in found for hit in page.hits if hit.event.task_id == "t2"]
    for number in (0, 1, 3):
        await store.cold.arestore(f"t{number}")
    assert await answers(store) == found
    await wait_for_parts(store, lambda filters: not any(filters))
    assert await answers(store) == found
    await indexer.stop()


@pytest.mark.long
@pytest.mark.parametrize("fault", ["missing", "unreachable"])
async def test_the_index_keeps_what_it_knows_of_a_file_that_cannot_be_read(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    indexer = SearchIndexer(store, Loops())
    await wait_for_parts(store, lambda filters: not any(filters))
    await indexer.stop()
    store.append("t3", NewEvent(event_type="runner_exit", payload={"exit_code": 0}))
    expected = await answers(store)
    for number in range(4):
        await store.cold.amove(f"t{number}")
    swept, sweep = asyncio.Event(), SearchIndexer._sweep

    async def noted(*args: object) -> None:
        await sweep(*args)  # type: ignore[arg-type]
        swept.set()

    monkeypatch.setattr(SearchIndexer, "_sweep", noted)
    folder, away = tmp_path / "cold", tmp_path / "away"
    async with store.read() as view:
        task = await view.cold_task("t1")
    assert task is not None
    hidden = folder / task.name if fault == "missing" else folder
    hidden.rename(away)
    if fault == "unreachable":
        folder.write_bytes(b"no directory")
    indexer = SearchIndexer(store, Loops())
    async with asyncio.timeout(60):
        await swept.wait()
    if fault == "unreachable":
        folder.unlink()
    away.rename(hidden)
    await wait_for_parts(store, all)
    assert await answers(store) == expected
    await indexer.stop()


async def move_two(store: Store, folder: Path) -> Path:
    """Move `t0` and `t1` to cold storage, and return the path of the file of `t0`."""
    for number in range(2):
        await store.cold.amove(f"t{number}")
    async with store.read() as view:
        task = await view.cold_task("t0")
    assert task is not None
    return folder / "cold" / task.name


async def test_a_missing_file_hides_only_its_own_task(store: Store, tmp_path: Path) -> None:
    (await move_two(store, tmp_path)).unlink()
    async with store.read() as view:
        page = await view.search_all(SearchQuery("needle 7", limit=200), seconds=30)
    assert page.unread == 1
    assert {hit.event.task_id for hit in page.hits} == {"t1", "t2", "t3"}


async def test_a_damaged_file_hides_only_its_own_task(store: Store, tmp_path: Path) -> None:
    """Its footer is whole, so the fault is found when a block is read."""
    path = await move_two(store, tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + bytes(byte ^ 1 for byte in whole[100:1000]) + whole[1000:])
    async with store.read() as view:
        page = await view.search_all(SearchQuery("needle 7", limit=200), seconds=30)
        indexed = await view.events_to_index(range((await view.index_work(1)).end_block))
    assert page.unread == 1
    assert {hit.event.task_id for hit in page.hits} == {"t1", "t2", "t3"}
    assert "kind-0" not in {event.kind for event in indexed}
    assert len(indexed) >= 2 * EVENTS
