"""Test how much of a cold file a read needs, in blocks, bytes and events, so without a clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from signalbox.store import Event, Store, history, open_store
from signalbox.store.cold import pack, state_keeper
from signalbox.store.cold.cached_file import CachedFile
from signalbox.store.cold.facts import EventBlock, FilePart, FoldedState
from signalbox.store.cold.file import ColdFile
from signalbox.store.cold.layout import TAIL
from signalbox.store.cold.places.directory import ColdDirectory
from signalbox.store.cold.zstandard import compressed
from signalbox.store.history import History
from signalbox.store.state import TaskState
from signalbox.webapp.views.log import log_window
from signalbox.webapp.views.task import task_view
from tests.support.varied_log import record, varied_log

EVENTS, IN_A_BLOCK, STEP = 3000, 50, 1000


@pytest.fixture
async def cold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    """A store with the task `t0` in cold storage, in 60 blocks, whose file nobody has read."""
    monkeypatch.setattr(pack, "MAX_EVENTS", IN_A_BLOCK)
    monkeypatch.setattr(state_keeper, "STEP", STEP)
    store = open_store(f"sqlite:///{tmp_path / 'signalbox.db'}")
    store.import_task(record("t0", 0), varied_log("t0", EVENTS, 0))
    await store.cold.amove("t0")
    yield store
    await store.aclose()


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch, cold: Store) -> list[FilePart]:
    """The parts that reads fetch from now on."""
    fetched, fetch = [], ColdFile.part

    def part(self: ColdFile, part: FilePart) -> bytes:
        fetched.append(part)
        return fetch(self, part)

    monkeypatch.setattr(ColdFile, "part", part)
    return fetched


def blocks(parts: Sequence[FilePart]) -> list[EventBlock]:
    return [part for part in parts if isinstance(part, EventBlock)]


@pytest.mark.long
@pytest.mark.parametrize("around", [3, 1500, EVENTS])
async def test_a_part_of_the_log_decodes_the_blocks_that_it_touches(
    cold: Store, parts: list[FilePart], monkeypatch: pytest.MonkeyPatch, around: int
) -> None:
    monkeypatch.setattr(CachedFile, "pin", None)
    async with cold.read() as view:
        window = await log_window(view, "t0", around=around, window=30, with_heartbeats=True)
    assert len(window.rows) == 30 or around == EVENTS
    # The rows before and after the event are two reads, which may have the block of the event in common.
    assert len(blocks(parts)) <= 3
    assert all(part.first_seq <= around + 30 and part.last_seq >= around - 30 for part in blocks(parts))


@pytest.mark.long
async def test_programs_read_events_without_the_image(cold: Store, parts: list[FilePart]) -> None:
    async with cold.read() as view:
        assert (await view.head("t0")).latest_seq == EVENTS
        events = await view.events("t0", 1000, 100)
        events += await view.latest_events("t0", 20, 2000)
    assert len(events) == 120
    assert len(blocks(parts)) == len(parts) <= 4


@pytest.mark.long
async def test_the_task_page_fetches_a_part_of_the_file(
    cold: Store, parts: list[FilePart], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes, read = [], ColdDirectory.read

    def counting(self: ColdDirectory, name: str, offset: int, length: int) -> bytes:
        sizes.append(length)
        return read(self, name, offset, length)

    monkeypatch.setattr(ColdDirectory, "read", counting)
    async with cold.read() as view:
        seen = await task_view(view, "t0", window=60)
    assert len(seen.rows) == 60
    assert len(blocks(parts)) <= 4
    assert not [part for part in parts if isinstance(part, FoldedState)]
    assert sum(sizes) == TAIL + sum(part.length for part in parts)


@pytest.mark.long
async def test_time_travel_folds_at_most_one_step(
    cold: Store, parts: list[FilePart], monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, fold = [], history.fold

    def weighed(state: TaskState, changing: Sequence[Event], times: Sequence[str]) -> None:
        weights.append(len(times) + state_keeper.CHANGE_WEIGHT * len(changing))
        fold(state, changing, times)

    monkeypatch.setattr(history, "fold", weighed)
    for seq in range(1, EVENTS + 1, 137):
        weights.clear()
        parts.clear()
        async with cold.read() as view:
            state = await History().state_at(view, "t0", seq)
        assert state.task.latest_seq == seq
        assert sum(weights) <= STEP + IN_A_BLOCK * (1 + state_keeper.CHANGE_WEIGHT)
        assert len({part.first_seq for part in blocks(parts)}) <= STEP // IN_A_BLOCK


@pytest.mark.long
async def test_states_are_a_small_part_of_the_file(cold: Store, tmp_path: Path) -> None:
    (path,) = (tmp_path / "signalbox.db.cold").iterdir()
    file: Any = ColdFile.open(ColdDirectory(path.parent), path.name)
    assert len(file.footer.states) >= 10
    whole = len(compressed(msgspec.json.encode(await latest(cold))))
    assert sum(state.length for state in file.footer.states) < len(file.footer.states) * whole / 2


async def latest(store: Store) -> TaskState:
    async with store.read() as view:
        return await History().state_at(view, "t0", EVENTS)
