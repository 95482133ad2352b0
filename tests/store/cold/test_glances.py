"""Test reads without a consistent view while another process moves the task between two of their queries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from signalbox.store import Event, Reading, Store, StoreDamaged, open_store
from signalbox.store.sql.views import Views
from tests.store.contract.conftest import KINDS
from tests.support.varied_log import record, varied_log

SIZE = 50
Read = Callable[[Reading], Awaitable[list[Event]]]
READS: dict[str, tuple[str, Read]] = {
    "of one task": ("cold_task", lambda view: view.events("t0", 0, 1000)),
    "of all tasks": ("cold_tasks_with_events_after", lambda view: view.events_after(0, 1000, ["t0"])),
}


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    create: Callable[[Path], str] = request.param
    return create(tmp_path)


@pytest.fixture
async def store(url: str, tmp_path: Path) -> AsyncIterator[Store]:
    """A store with `t0` in the database, and `t1` in cold storage."""
    opened = open_store(url, cold_storage=str(tmp_path / "files"))
    for number in range(2):
        opened.import_task(record(f"t{number}", number), varied_log(f"t{number}", SIZE, number))
    await opened.cold.amove("t1")
    yield opened
    await opened.aclose()


@pytest.fixture
def after_look(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, Callable[[Store], Awaitable[object]]], None]:
    """Let another process do something once, after a query that says where tasks are."""

    def arrange(query: str, act: Callable[[Store], Awaitable[object]]) -> None:
        look = getattr(Views, query)

        async def in_another_process() -> None:
            other = open_store(url, cold_storage=str(tmp_path / "files"))
            await act(other)
            await other.aclose()

        async def looked(self: Views, *arguments: Any) -> Any:
            found = await look(self, *arguments)
            monkeypatch.setattr(Views, query, look)
            await asyncio.to_thread(asyncio.run, in_another_process())
            return found

        monkeypatch.setattr(Views, query, looked)

    return arrange


@pytest.mark.parametrize("read", READS)
async def test_a_task_that_is_moved_meanwhile_is_read_from_its_file(store: Store, after_look: Any, read: str) -> None:
    query, events = READS[read]
    after_look(query, lambda other: other.cold.amove("t0"))
    async with store.glance() as view:
        assert [event.seq for event in await events(view)] == list(range(1, SIZE + 1))


@pytest.mark.parametrize("read", READS)
async def test_a_task_that_is_restored_meanwhile_is_read_from_the_database(
    store: Store, after_look: Any, read: str
) -> None:
    query, events = READS[read]
    await store.cold.amove("t0")
    after_look(query, lambda other: other.cold.arestore("t0"))
    async with store.glance() as view:
        assert [event.seq for event in await events(view)] == list(range(1, SIZE + 1))


@pytest.mark.parametrize("read", READS)
async def test_a_file_that_is_missing_is_an_error(store: Store, tmp_path: Path, read: str) -> None:
    moved = await store.cold.amove("t0")
    (tmp_path / "files" / moved.name).unlink()
    async with store.glance() as view:
        with pytest.raises(StoreDamaged, match="is missing"):
            await READS[read][1](view)
