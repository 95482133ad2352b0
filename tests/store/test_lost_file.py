"""Test that no event is acknowledged and then lost when the open database file is deleted, moved or replaced."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from signalbox.store import NewEvent, StoreUnavailable, open_store
from signalbox.store.consumer import Consumer
from signalbox.store.errors import LeaseLost, StoreLost
from signalbox.store.sqlite import SqliteStore, reopening
from tests.support.server import Server
from tests.support.sse import open_stream

LOG = NewEvent(event_type="log")
COMPANIONS = ("", "-wal", "-shm")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reopening, "RETRY_INTERVAL", 0.02)


def back_up(path: Path, target: Path) -> None:
    with sqlite3.connect(path) as source, sqlite3.connect(target) as copy:
        source.backup(copy)
    source.close()
    copy.close()


def delete(path: Path) -> None:
    for ending in COMPANIONS:
        path.with_name(path.name + ending).unlink(missing_ok=True)


def move(path: Path, folder: Path) -> None:
    for ending in COMPANIONS:
        file = path.with_name(path.name + ending)
        if file.exists():
            file.rename(folder / file.name)


def appended(store: SqliteStore, task_id: str = "run") -> int:
    """Append an event and return its seq once it is stored."""
    deadline = time.monotonic() + 5
    while True:
        try:
            return store.append(task_id, LOG)[0].seq
        except StoreUnavailable:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def stored(path: Path, task_id: str = "run") -> int:
    """Return the events of a task that another process reads from a database file."""
    code = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]);"
        " print(db.execute('SELECT count(*) FROM task_events WHERE task_id = ?', (sys.argv[2],)).fetchone()[0])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, str(path), task_id], capture_output=True, text=True, check=True
    )
    return int(answer.stdout)


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
    assert appended(store) == 2
    assert store.problems == []
    assert store.epoch != epoch
    assert stored(store.path) == 2


def test_after_a_replacement_all_events_go_to_the_new_file(store: SqliteStore, tmp_path: Path) -> None:
    store.append("run", [LOG] * 50)
    back_up(store.path, tmp_path / "backup.db")
    store.append("run", [LOG] * 50)
    (tmp_path / "backup.db").rename(store.path)  # Keep the write-ahead log of the old file next to it.
    seqs = [appended(store) for _ in range(3)]
    assert seqs == [51, 52, 53]
    assert stored(store.path) == 53
    assert list(tmp_path.glob("*.of-lost-*"))
    with sqlite3.connect(store.path) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("companion", ["-wal", "-shm"])
def test_deleting_the_wal_or_shm_file_loses_no_event(store: SqliteStore, companion: str) -> None:
    store.append("run", [LOG] * 100)
    store.path.with_name(store.path.name + companion).unlink()
    epoch = store.epoch
    store.check()
    assert appended(store) == 101
    assert store.epoch == epoch
    assert stored(store.path) == 101


def test_a_file_moved_away_and_back_keeps_its_history(store: SqliteStore, tmp_path: Path) -> None:
    store.append("run", [LOG] * 100)
    epoch, aside = store.epoch, tmp_path / "aside"
    aside.mkdir()
    move(store.path, aside)
    with pytest.raises(StoreLost):
        store.append("run", LOG)
    assert stored(aside / store.path.name) == 100
    move(aside / store.path.name, tmp_path)
    assert appended(store) == 101
    assert store.epoch == epoch
    assert stored(store.path) == 101


def test_a_file_moved_without_its_wal_holds_all_acknowledged_events(store: SqliteStore, tmp_path: Path) -> None:
    store.append("run", [LOG] * 100)
    store.path.rename(tmp_path / "moved.db")
    with pytest.raises(StoreLost):
        store.append("run", LOG)
    assert stored(tmp_path / "moved.db") == 100


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
    assert appended(store) == 2
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
    whole = path.with_name("whole.db")
    open_store(f"sqlite:///{whole}").close()
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("make", [make_folder, make_text, make_empty, make_foreign, make_half, make_pipe])
def test_a_file_that_is_no_complete_database_is_left_alone(store: SqliteStore, make: Callable[[Path], None]) -> None:
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
    async with asyncio.timeout(5):
        while store.problems:
            await asyncio.sleep(0.03)
            await store.acheck()
    assert await peek.moved()
    assert [event.seq for event in await peek.events_after(0, 10)] == [1]
    async with store.read() as view:
        assert await view.latest_event_id() == newest
    await peek.aclose()


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


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
    until(lambda: "store_lost" in server.get("/api/events/health").text)
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
    until(lambda: server.get("/api/events/health").status_code == 200)
    assert server.latest("run") == 5
    assert server.post("/api/tasks/run/events", {"event_type": "log"}).json()["seq"] == 6
    with open_stream(f"{server.url}/tasks/run/stream?since=3&epoch={epoch or 'old'}") as stream:
        assert next(message for message in stream if message.event).event == "reset"
    server.kill()
    server.start()
    assert server.latest("run") == 6


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
    until(lambda: server.get("/api/events/health").status_code == 200)
    with open_stream(f"{server.url}/sse/tasks/run/events?since_seq=10") as stream:
        assert list(stream)[-1].event == "reset"
    assert server.latest("run") == 5


Overwriting = Callable[[Path, Path], None]


def copy_over(backup: Path, path: Path) -> None:
    subprocess.run(["cp", str(backup), str(path)], check=True)


def dd_over(backup: Path, path: Path) -> None:
    subprocess.run(["dd", f"if={backup}", f"of={path}", "conv=notrunc", "status=none"], check=True)
    os.truncate(path, backup.stat().st_size)


def write_in_pieces(backup: Path, path: Path) -> None:
    with path.open("r+b") as file:
        for piece in (backup.read_bytes()[at : at + 8192] for at in range(0, backup.stat().st_size, 8192)):
            file.write(piece)
            file.flush()
            time.sleep(0.001)
        file.truncate()


def vacuum_over(backup: Path, path: Path) -> None:
    small = path.with_name("small.db")
    with sqlite3.connect(backup) as source:
        source.execute("VACUUM INTO ?", (str(small),))
    source.close()
    copy_over(small, path)


@pytest.mark.parametrize("later", [50, 3000])
@pytest.mark.parametrize("overwrite", [copy_over, dd_over, write_in_pieces, vacuum_over])
def test_an_open_file_that_is_overwritten_counts_as_replaced(
    store: SqliteStore, tmp_path: Path, overwrite: Overwriting, later: int
) -> None:
    store.append("run", [LOG] * 50)
    back_up(store.path, tmp_path / "backup.db")
    for _ in range(later // 50):
        store.append("run", [LOG] * 50)
    epoch, inode = store.epoch, store.path.stat().st_ino
    overwrite(tmp_path / "backup.db", store.path)
    with pytest.raises(StoreLost, match="overwritten"):
        store.append("run", LOG)
    assert store.problems[0][0] == "store_lost"
    assert appended(store) == 51
    assert (store.path.stat().st_ino, store.problems) == (inode, [])
    assert store.epoch != epoch
    assert stored(store.path) == 51
    with sqlite3.connect(store.path) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def checkpoint(store: SqliteStore) -> None:
    with sqlite3.connect(store.path) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.close()
    store.check()


def test_restoring_a_copy_without_its_wal_counts_as_a_replacement(store: SqliteStore, tmp_path: Path) -> None:
    store.append("run", [LOG] * 3000)
    copy = tmp_path / "copy.db"
    checkpoint(store)
    copy_over(store.path, copy)
    store.append("run", [LOG] * 100)
    checkpoint(store)
    copy_over(copy, store.path)
    store.check()
    assert [code for code, _ in store.problems] == ["store_lost"]
    assert appended(store) == 3001


@pytest.mark.parametrize("content", [b"", b"this is no database\n" * 500])
def test_an_open_file_overwritten_with_other_data_is_left_alone(
    store: SqliteStore, tmp_path: Path, content: bytes
) -> None:
    store.append("run", [LOG] * 50)
    back_up(store.path, tmp_path / "backup.db")
    store.path.write_bytes(content)
    for _ in range(4):
        with pytest.raises(StoreLost):
            store.append("run", LOG)
        store.check()
        time.sleep(0.03)
    assert store.path.read_bytes() == content
    copy_over(tmp_path / "backup.db", store.path)
    assert appended(store) == 51


async def test_a_restore_into_the_open_database_starts_a_new_history(store: SqliteStore, tmp_path: Path) -> None:
    await store.aappend("run", [LOG] * 50)
    back_up(store.path, tmp_path / "backup.db")
    await store.aappend("run", [LOG] * 50)
    await store.acheck()
    epoch, generation = store.epoch, store.generation
    await asyncio.to_thread(back_up, tmp_path / "backup.db", store.path)
    await store.acheck()
    async with asyncio.timeout(5):
        while store.problems or store.generation == generation:
            await asyncio.sleep(0.03)
            await store.acheck()
    assert store.epoch != epoch
    assert (await store.aappend("run", LOG))[0].seq == 51


def test_checkpoints_vacuums_and_other_writers_do_not_count_as_a_replacement(store: SqliteStore) -> None:
    epoch, generation = store.epoch, store.generation
    other = open_store(store.url)
    for turn in range(30):
        (store if turn % 2 else other).append("run", [LOG] * 100)
        with sqlite3.connect(store.path) as raw:
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)" if turn % 3 else "VACUUM")
        raw.close()
        store.check()
        other.check()
    other.delete_task("run")
    store.check()
    assert (store.epoch, store.generation, store.problems) == (epoch, generation, [])
    other.close()


HALF_A_CHECKPOINT = """
import sys
done = open(sys.argv[1], "rb").read()
with open(sys.argv[2], "r+b", buffering=0) as file:
    file.write(done[: len(done) // 8192 * 4096])
"""


def test_an_interrupted_checkpoint_is_no_replacement(store: SqliteStore, tmp_path: Path) -> None:
    store.append("run", [NewEvent(event_type="log", payload={"message": "x" * 9000})] * 200)
    copy = tmp_path / "copy.db"
    for ending in ("", "-wal"):
        copy_over(store.path.with_name(store.path.name + ending), copy.with_name(copy.name + ending))
    with sqlite3.connect(copy) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.close()
    store.check()
    # Another process writes the first half of a checkpoint, then is killed or finds the disk full.
    subprocess.run([sys.executable, "-c", HALF_A_CHECKPOINT, copy, store.path], check=True)
    deadline = time.monotonic() + 2.5
    while time.monotonic() < deadline:
        store.append("run", LOG)
        store.check()
        time.sleep(0.05)
    assert (store.generation, store.problems) == (1, [])
    assert stored(store.path) > 200
    with sqlite3.connect(store.path) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("change", ["CREATE INDEX later ON task_events (created_at)", "ANALYZE", "VACUUM"])
def test_a_schema_change_does_not_count_as_a_replacement(store: SqliteStore, change: str) -> None:
    store.append("run", [LOG] * 100)
    with sqlite3.connect(store.path, isolation_level=None) as raw:
        raw.execute(change)
    raw.close()
    checkpoint(store)
    store.append("run", LOG)
    checkpoint(store)
    assert (store.append("run", LOG)[0].seq, store.generation, store.problems) == (102, 1, [])


def test_a_server_survives_a_copy_over_its_open_file(start_server: Callable[..., Server], tmp_path: Path) -> None:
    server = start_server()
    server.post("/api/tasks/run/events", [{"event_type": "log", "payload": {"message": "x" * 500}}] * 2000)
    back_up(server.path, tmp_path / "backup.db")
    server.post("/api/tasks/run/events", [{"event_type": "log", "payload": {"message": "x" * 500}}] * 2000)
    with open_stream(f"{server.url}/sse/tasks/run/events?since_seq=3999") as stream:
        next(message for message in stream if message.id == "4000")
        os.truncate(server.path, 0)
        for path in ("/tasks/run", "/api/tasks/run/events", "/tasks"):
            assert server.get(path).status_code == 503, path
        copy_over(tmp_path / "backup.db", server.path)
        last = list(stream)[-1]
    assert last.event in ("reset", "reconnect")
    until(lambda: server.get("/api/events/health").status_code == 200)
    assert server.latest("run") == 2000
    with open_stream(f"{server.url}/sse/tasks/run/events?since_seq=4000") as stream:
        assert list(stream)[-1].event == "reset"


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
        assert await asyncio.to_thread(appended, store) == 3
        with pytest.raises(LeaseLost):
            await consumer.commit()
        async with asyncio.timeout(10):
            # The position is 2 in the backup as well, but seq 3, which it has seen, is a different event now.
            assert [event.seq for event in await anext(consumer)] == [1, 2, 3]
        assert consumer.position == 0
        await consumer.commit()
