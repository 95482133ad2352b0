"""Test that an open database file whose content is overwritten counts as replaced, and that other writes do not."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from signalbox.store import Event, NewEvent, open_store
from signalbox.store.errors import StoreLost
from signalbox.store.sqlite import SqliteStore
from tests.support.database_file import append_event, back_up, count_stored_events
from tests.support.server import Server
from tests.support.sse import open_stream
from tests.support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("quick_reopening")

LOG = NewEvent(event_type="log")

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
    assert append_event(store) == 51
    assert (store.path.stat().st_ino, store.problems) == (inode, [])
    assert store.epoch != epoch
    assert count_stored_events(store.path) == 51
    lost_logs = list(store.path.parent.glob("*-wal.of-lost-*"))
    assert {stat.S_IMODE(lost.stat().st_mode) for lost in lost_logs} == {0o600}
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
    assert append_event(store) == 3001


@pytest.mark.parametrize("content", [b"", b"this is no database\n" * 500])
def test_an_open_file_overwritten_with_other_data_is_not_written(
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
    assert append_event(store) == 51


def test_a_truncated_write_ahead_log_counts_as_overwritten(store: SqliteStore) -> None:
    store.append("run", [LOG] * 30)
    checkpoint(store)
    store.append("run", [LOG] * 10)
    os.truncate(f"{store.path}-wal", 0)
    append_event(store)
    store.check()
    seq = append_event(store)
    assert seq <= 32, "the events in the truncated log are gone"
    assert count_stored_events(store.path) == seq, "what is acknowledged now is in the database"


@pytest.mark.parametrize("kept", [0, 100_000])
async def test_reads_notice_that_the_write_ahead_log_was_truncated(store: SqliteStore, kept: int) -> None:
    await store.aappend("run", [LOG] * 30)
    checkpoint(store)
    # Random texts, because payloads are compressed and the log must be longer than `kept`.
    texts = [os.urandom(4500).hex() for _ in range(200)]
    await store.aappend("run", [NewEvent(event_type="log", payload={"message": text}) for text in texts])
    wal = store.path.with_name(store.path.name + "-wal")
    assert wal.stat().st_size > kept
    os.truncate(wal, kept)
    with pytest.raises(StoreLost):
        await latest_events(store)
    async with asyncio.timeout(60):
        while store.problems:
            await asyncio.sleep(0.03)
            await store.acheck()
    assert [event.seq for event in await latest_events(store)] == list(range(30, 20, -1))


async def latest_events(store: SqliteStore) -> list[Event]:
    async with store.read() as view:
        return await view.latest_events("run", 10)


async def test_a_restore_into_the_open_database_starts_a_new_history(store: SqliteStore, tmp_path: Path) -> None:
    await store.aappend("run", [LOG] * 50)
    back_up(store.path, tmp_path / "backup.db")
    await store.aappend("run", [LOG] * 50)
    await store.acheck()
    epoch, generation = store.epoch, store.generation
    await asyncio.to_thread(back_up, tmp_path / "backup.db", store.path)
    await store.acheck()
    async with asyncio.timeout(60):
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
    assert count_stored_events(store.path) > 200
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


@pytest.mark.long
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
    wait_until(lambda: server.get("/api/events/health").status_code == 200)
    assert server.latest("run") == 2000
    with open_stream(f"{server.url}/sse/tasks/run/events?since_seq=4000") as stream:
        assert list(stream)[-1].event == "reset"
