"""Test that no event is acknowledged and then lost when the open database file is deleted, moved or replaced."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import aclosing, closing
from pathlib import Path

import pytest

from signalbox.store import Conflict, NewEvent, open_store, tail
from signalbox.store.consumer import Consumer
from signalbox.store.errors import LeaseLost, StoreLost
from signalbox.store.log import events_of
from signalbox.store.sqlite import SqliteStore
from tests.support.database_file import append_event, back_up, count_stored_events
from tests.support.server import Server
from tests.support.sse import open_stream
from tests.support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("quick_reopening")

LOG = NewEvent(event_type="log")
COMPANIONS = ("", "-wal", "-shm")


def delete(path: Path) -> None:
    for ending in COMPANIONS:
        path.with_name(path.name + ending).unlink(missing_ok=True)


def move(path: Path, folder: Path) -> None:
    for ending in COMPANIONS:
        file = path.with_name(path.name + ending)
        if file.exists():
            file.rename(folder / file.name)


def test_nothing_is_written_into_a_deleted_file_and_no_new_one_is_made(store: SqliteStore, tmp_path: Path) -> None:
    store.append("run", LOG)
    back_up(store.path, tmp_path / "backup.db")
    epoch = store.epoch
    delete(store.path)
    for _ in range(3):
        with pytest.raises(StoreLost, match="deleted"):
            store.append("run", LOG)
        store.check()
        time.sleep(0.03)
    assert not store.path.exists()
    assert store.problems[0][0] == "store_lost"
    (tmp_path / "backup.db").rename(store.path)
    assert append_event(store) == 2
    assert store.problems == []
    assert store.epoch != epoch
    assert count_stored_events(store.path) == 2


def test_after_a_replacement_all_events_go_to_the_new_file(store: SqliteStore, tmp_path: Path) -> None:
    store.append("run", [LOG] * 50)
    back_up(store.path, tmp_path / "backup.db")
    store.append("run", [LOG] * 50)
    (tmp_path / "backup.db").rename(store.path)  # Keep the write-ahead log of the old file next to it.
    seqs = [append_event(store) for _ in range(3)]
    assert seqs == [51, 52, 53]
    assert count_stored_events(store.path) == 53
    assert list(tmp_path.glob("*.of-lost-*"))
    with sqlite3.connect(store.path) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("companion", ["-wal", "-shm"])
def test_deleting_the_wal_or_shm_file_loses_no_event(store: SqliteStore, companion: str) -> None:
    store.append("run", [LOG] * 100)
    store.path.with_name(store.path.name + companion).unlink()
    epoch = store.epoch
    store.check()
    assert append_event(store) == 101
    assert store.epoch == epoch
    assert count_stored_events(store.path) == 101


def test_a_file_moved_away_and_back_keeps_its_history(store: SqliteStore, tmp_path: Path) -> None:
    store.append("run", [LOG] * 100)
    epoch, aside = store.epoch, tmp_path / "aside"
    aside.mkdir()
    move(store.path, aside)
    with pytest.raises(StoreLost):
        store.append("run", LOG)
    assert count_stored_events(aside / store.path.name) == 100
    move(aside / store.path.name, tmp_path)
    assert append_event(store) == 101
    assert store.epoch == epoch
    assert count_stored_events(store.path) == 101


def test_a_file_moved_without_its_wal_holds_all_acknowledged_events(store: SqliteStore, tmp_path: Path) -> None:
    store.append("run", [LOG] * 100)
    store.path.rename(tmp_path / "moved.db")
    with pytest.raises(StoreLost):
        store.append("run", LOG)
    assert count_stored_events(tmp_path / "moved.db") == 100


async def test_a_read_of_an_earlier_state_keeps_no_acknowledged_event_out_of_a_moved_file(
    store: SqliteStore, tmp_path: Path
) -> None:
    moved = tmp_path / "moved.db"
    await store.aappend("run", LOG)
    async with store.read() as view:
        await view.latest_event_id()
        await store.aappend("run", [LOG] * 99)
        store.path.rename(moved)
        await store.acheck()
    while store.path.with_name(store.path.name + "-wal").exists():
        await asyncio.sleep(0.01)
        await store.acheck()
    assert count_stored_events(moved) == 100
    moved.rename(store.path)
    assert await asyncio.to_thread(append_event, store) == 101


def test_a_file_moved_back_has_the_events_that_another_reader_kept_out_of_it(
    store: SqliteStore, tmp_path: Path
) -> None:
    store.append("run", LOG)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM task_events").fetchone() == (1,)
        store.append("run", [LOG] * 99)
        store.path.rename(tmp_path / "moved.db")
        for _ in range(3):
            store.check()
            time.sleep(0.03)
        (tmp_path / "moved.db").rename(store.path)
        assert append_event(store) == 101
    assert count_stored_events(store.path) == 101


def test_the_folder_can_disappear_and_return(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    store = open_store(f"sqlite:///{folder}/signalbox.db")
    store.append("run", LOG)
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(StoreLost):
        store.append("run", LOG)
    assert not folder.exists()
    (tmp_path / "elsewhere").rename(folder)
    assert append_event(store) == 2
    store.close()


def make_folder(path: Path) -> None:
    path.mkdir()


def make_text(path: Path) -> None:
    path.write_text("this is no database\n" * 500)


def make_empty(path: Path) -> None:
    path.touch()


def make_foreign(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE things (name)")
    other.close()


def make_half(path: Path) -> None:
    complete = path.with_name("whole.db")
    open_store(f"sqlite:///{complete}").close()
    path.write_bytes(complete.read_bytes()[: complete.stat().st_size // 2])


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("make", [make_folder, make_text, make_empty, make_foreign, make_half, make_pipe])
def test_a_file_that_is_no_complete_database_is_not_changed(store: SqliteStore, make: Callable[[Path], None]) -> None:
    store.append("run", LOG)
    delete(store.path)
    make(store.path)
    before = store.path.stat()
    for _ in range(4):
        with pytest.raises(StoreLost):
            store.append("run", LOG)
        time.sleep(0.03)
    after = store.path.stat()
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (before.st_ino, before.st_size, before.st_mtime_ns)


async def test_a_lost_file_is_not_read(store: SqliteStore, tmp_path: Path) -> None:
    await store.aappend("run", LOG)
    peek = store.peek()
    assert await peek.moved()
    async with store.read() as view:
        newest = await view.latest_event_id()
        back_up(store.path, tmp_path / "backup.db")
        delete(store.path)
        await store.acheck()
        (tmp_path / "backup.db").rename(store.path)
        await store.acheck()
        assert await view.latest_event_id() == newest  # A view that is already open continues.
    with pytest.raises(StoreLost):
        async with store.read():
            pass
    with pytest.raises(StoreLost):
        await peek.moved()
    async with asyncio.timeout(60):
        while store.problems:
            await asyncio.sleep(0.03)
            await store.acheck()
    assert await peek.moved()
    assert [event.seq for event in await peek.events_after(0, 10)] == [1]
    async with store.read() as view:
        assert await view.latest_event_id() == newest
    await peek.aclose()


async def test_a_read_that_cannot_open_the_file_finds_it_lost_for_all_later_reads(
    store: SqliteStore, tmp_path: Path
) -> None:
    store.append("run", LOG)
    moved = asyncio.Event()

    async def read_after_the_move() -> None:
        await moved.wait()
        async with store.read() as view:
            await view.latest_event_id()

    second = asyncio.create_task(read_after_the_move())
    async with store.read() as view:
        await view.latest_event_id()
        store.path.rename(tmp_path / "away.db")
        moved.set()
        with pytest.raises(StoreLost, match="deleted or moved away"):
            await second
    with pytest.raises(StoreLost, match="deleted or moved away"):
        async with store.read():  # The connection of the first read is idle, and still open.
            pass


@pytest.mark.long
def test_a_server_reports_a_lost_file_and_continues_with_the_next_one(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = start_server()
    for n in range(5):
        assert server.post("/api/tasks/run/events", {"event_type": "log", "payload": {"n": n}}).status_code == 201
    back_up(server.path, tmp_path / "backup.db")
    server.post("/api/tasks/run/events", [{"event_type": "log"}] * 5)
    epoch = server.get("/tasks").text.partition('name="signalbox-epoch" content="')[2].partition('"')[0]
    delete(server.path)
    wait_until(lambda: "store_lost" in server.get("/api/events/health").text)
    health = server.get("/api/events/health")
    assert (health.status_code, health.json()["status"]) == (503, "unhealthy")
    assert "store_lost" in [problem["code"] for problem in health.json()["problems"]]
    assert str(tmp_path) not in server.get("/api/events/health").text
    assert 'signalbox_problem{code="store_lost"} 1.0' in server.get("/metrics").text
    refused = server.post("/api/tasks/run/events", {"event_type": "log"})
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert server.get("/tasks/run").status_code == 503
    assert not server.path.exists()
    shutil.copy(tmp_path / "backup.db", server.path)
    wait_until(lambda: server.get("/api/events/health").status_code == 200)
    assert server.latest("run") == 5
    assert server.post("/api/tasks/run/events", {"event_type": "log"}).json()["seq"] == 6
    with open_stream(f"{server.url}/tasks/run/stream?since=3&epoch={epoch or 'old'}") as stream:
        assert next(message for message in stream if message.event).event == "reset"
    server.kill()
    server.start()
    assert server.latest("run") == 6


@pytest.mark.long
def test_open_streams_restart_when_the_file_is_replaced(start_server: Callable[..., Server], tmp_path: Path) -> None:
    server = start_server()
    server.post("/api/tasks/run/events", [{"event_type": "log"}] * 5)
    back_up(server.path, tmp_path / "backup.db")
    server.post("/api/tasks/run/events", [{"event_type": "log"}] * 5)
    with open_stream(f"{server.url}/sse/tasks/run/events") as stream:
        next(message for message in stream if message.id == "10")
        (tmp_path / "backup.db").rename(server.path)
        last = list(stream)[-1]
    assert last.event in ("reset", "reconnect")
    wait_until(lambda: server.get("/api/events/health").status_code == 200)
    with open_stream(f"{server.url}/sse/tasks/run/events?since_seq=10") as stream:
        assert list(stream)[-1].event == "reset"
    assert server.latest("run") == 5


async def test_a_consumer_starts_over_when_the_file_is_replaced(store: SqliteStore, tmp_path: Path) -> None:
    store.append("run", [LOG, LOG])
    async with Consumer(store, "search", lease=1.0) as consumer:
        assert [event.seq for event in await anext(consumer)] == [1, 2]
        await consumer.commit()
        back_up(store.path, tmp_path / "backup.db")
        store.append("run", LOG)
        assert [event.seq for event in await anext(consumer)] == [3]
        delete(store.path)
        os.replace(tmp_path / "backup.db", store.path)
        assert await asyncio.to_thread(append_event, store) == 3
        with pytest.raises(LeaseLost):
            await consumer.commit()
        async with asyncio.timeout(60):
            # The position is 2 in the backup as well, but seq 3, which it has seen, is a different event now.
            assert [event.seq for event in await anext(consumer)] == [1, 2, 3]
        assert consumer.position == 0
        await consumer.commit()


async def test_a_program_that_only_reads_notices_that_the_file_was_replaced(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "CHECK_SECONDS", 0.02)
    store.append("run", [LOG, LOG])
    back_up(store.path, tmp_path / "backup.db")
    reader = open_store(store.url)
    try:
        async with asyncio.timeout(60), aclosing(events_of(reader, "run")) as events:
            assert [(await anext(events)).seq for _ in range(2)] == [1, 2]
            delete(store.path)
            os.replace(tmp_path / "backup.db", store.path)
            with pytest.raises(Conflict, match="start again from the beginning"):
                await anext(events)
    finally:
        await reader.aclose()
