"""Long payloads are stored compressed in a SQLite file, and read as they were given."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from signalbox.store import LogQuery, NewEvent, SchemaTooNew, UnknownTask, open_store
from signalbox.store.moving.move import move_store
from signalbox.store.sql import compressed
from signalbox.store.sqlite import SqliteStore, migrations, payloads
from signalbox.store.sqlite.compression import GONE_AFTER
from signalbox.store.sqlite.doctor import examine
from signalbox.store.sqlite.processes import NOW
from signalbox.store.verification import open_source, verify_task
from tests.support.damaged_database import NOISE
from tests.support.every_read import reads_of_lists, reads_of_task, value_of
from tests.support.varied_log import record, varied_log
from tests.support.waiting import wait_until

PROSE = "The quick brown fox jumps over the lazy dog. " * 100
ODD = {"z": PROSE, "a": 123456789012345678901234567890, "nul": "a\x00b", "text": "Öresund 𝄞", "f": 1.10, "": [[], {}]}
STORED = "SELECT typeof(payload), typeof(plain), failure FROM task_events WHERE task_id = ? ORDER BY seq"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "signalbox.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = open_store(f"sqlite:///{path}")
    yield store
    store.close()


def rows(path: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as db, db:
        return db.execute(sql, values).fetchall()


@pytest.mark.long
async def test_every_read_is_the_same_as_without_compression(
    tmp_path: Path, store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Compress everything, however short.
    monkeypatch.setattr(payloads, "MIN_CHARS", 1)
    monkeypatch.setattr(compressed, "MAX_SHARE", 100)
    plain = open_store(f"sqlite:///{tmp_path}/plain.db")
    plain._writer._connection.compresses = False
    tasks = {"t0": 400, "t1": 60, "t2": 5}
    for number, (task_id, size) in enumerate(tasks.items()):
        for one in (store, plain):
            log = varied_log(task_id, size, number, ended=number % 2 == 0)
            one.import_task(record(task_id, number), log)
    kinds = [kind for kind, _, _ in rows(path, STORED, "t0")]
    assert kinds.count("blob") > kinds.count("text") > 0
    assert {kind for kind, _, _ in rows(tmp_path / "plain.db", STORED, "t0")} == {"text"}
    reads = [*reads_of_lists(list(tasks)), *(read for task_id in tasks for read in reads_of_task(task_id))]
    async with plain.read() as view:
        expected = [await value_of(view, read) for _, read in reads]
    async with store.read() as view:
        for (name, read), wanted in zip(reads, expected, strict=True):
            assert await value_of(view, read) == wanted, name
    plain.close()
    assert list(examine(path)) == []
    with open_source(store.url) as source:
        assert all(verify_task(source, task_id).intact for task_id in tasks)


async def test_a_long_payload_comes_back_byte_for_byte(store: SqliteStore, path: Path) -> None:
    (appended,) = store.append("t", NewEvent(event_type="tool_result", payload=ODD, key="k"))
    assert rows(path, STORED, "t") == [("blob", "null", 0)]
    (stored,) = rows(path, "SELECT length(payload) FROM task_events")
    assert stored[0] < len(appended.payload_json) / 4
    async with store.read() as view:
        (event,) = await view.events("t")
    assert bytes(event.payload_json) == bytes(appended.payload_json)
    assert (event.payload, list(event.payload)) == (ODD, list(ODD))
    (again,) = store.append("t", NewEvent(event_type="tool_result", payload=ODD, key="k"))
    assert (again.seq, bytes(again.payload_json)) == (1, bytes(appended.payload_json))


async def test_a_search_finds_text_in_long_payloads(store: SqliteStore) -> None:
    store.append(
        "t",
        [
            NewEvent(event_type="log", payload={"message": f"\x1b[31mred\x1b[0m line {PROSE}", "level": "warning"}),
            NewEvent(event_type="log", payload={"message": f"{PROSE} Öresund", "stream": "stderr"}),
            NewEvent(event_type="log", payload={"message": "short"}),
        ],
    )
    async with store.read() as view:
        found = {
            text: [event.seq for event in (await view.search("t", LogQuery(text=text))).events]
            for text in ("red line", "LAZY DOG", "öRESUND", "short", "absent")
        }
        levels = await view.search("t", LogQuery(level="Warning"))
        output = await view.error_output("t", 9, 10)
    assert found == {"red line": [1], "LAZY DOG": [1, 2], "öRESUND": [2], "short": [3], "absent": []}
    assert [event.seq for event in levels.events] == [1]
    assert [event.seq for event in output] == [2]


def test_payloads_stay_as_they_are_where_compression_gains_nothing(store: SqliteStore, path: Path) -> None:
    store.append(
        "t",
        [
            NewEvent(event_type="log", payload={"message": "x" * 500}),
            NewEvent(event_type="log", payload={"data": NOISE}),
            NewEvent(event_type="log", payload={"data": random.Random(1).randbytes(3000).hex()}),
        ],
    )
    assert [kind for kind, _, _ in rows(path, STORED, "t")] == ["text", "text", "blob"]


def test_failures_are_found_whatever_is_compressed(store: SqliteStore, path: Path) -> None:
    nested = {"level": "info", "detail": {"level": "error", "error_code": 5}, "text": PROSE}
    for event_type, payload in (
        ("log", {"level": "error", "message": PROSE}),
        ("tool_failed", {"message": PROSE}),
        ("log", nested),
        ("status", {"status": "failed", "message": PROSE}),
        ("runner_exit", {"exit_code": 0, "message": PROSE}),
    ):
        store.append("t", NewEvent(event_type=event_type, payload=payload))
    found = rows(path, STORED, "t")
    assert [(kind, failure) for kind, _, failure in found] == [
        ("text", 1),
        ("blob", 1),
        ("blob", 0),
        ("text", 1),
        ("text", 0),
    ]


async def test_a_damaged_payload_affects_only_its_event(store: SqliteStore, path: Path) -> None:
    store.append("t", [NewEvent(event_type="log", payload={"message": PROSE, "n": n}) for n in range(3)])
    changed = "CAST(substr(payload, 1, 40) || X'00' || substr(payload, 42) AS BLOB)"
    rows(path, f"UPDATE task_events SET payload = {changed} WHERE seq = 2")
    async with store.read() as view:
        first, second, third = await view.events("t")
        assert (first.payload["n"], third.payload["n"]) == (0, 2)
        assert "its stored payload is compressed, and damaged" in second.payload["message"]
        assert [event.seq for event in await view.brief().events("t")] == [1, 2, 3]
        assert (await view.search("t", LogQuery(text="lazy dog"))).total == 2
    (finding,) = examine(path)
    assert (finding.code, finding.message) == ("payload", "task t: the payload of event #2 cannot be read")


def test_a_frame_that_claims_to_be_huge_is_damaged() -> None:
    frame = compressed.Compressor().stored("x" * (compressed.MAX_BYTES + 1))
    assert isinstance(frame, bytes)
    assert compressed.text_of(frame) is None
    assert compressed.text_of(frame[:100]) is None


async def test_compression_waits_until_no_older_server_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = NewEvent(event_type="log", payload={"message": PROSE})
    earlier = [step for step in migrations.known() if step[0] < "034"]
    with monkeypatch.context() as before:
        before.setattr(migrations, "known", lambda: earlier)
        open_store(f"sqlite:///{path}").close()
    rows(path, f"INSERT INTO server_processes (process_id, seen_at) VALUES ('older', {NOW} - 30)")
    store = open_store(f"sqlite:///{path}")
    store.append("t", long)
    await store.processes.report("newer", {})
    store.append("t", long)
    assert rows(path, "SELECT compatible_from FROM migration_marks WHERE name >= '034'")[0] != (None,)
    rows(path, "UPDATE server_processes SET seen_at = seen_at - ? WHERE process_id = 'older'", GONE_AFTER)
    with store.writer._lock:
        # One transaction has both, and is rolled back. Then each has its own.
        reported = asyncio.create_task(store.processes.report("newer", {}))
        refused = asyncio.create_task(store.aarchive_task("unknown", True, actor="ann"))
        await asyncio.to_thread(wait_until, lambda: store.stats().waiting == 2)
    await reported
    with pytest.raises(UnknownTask):
        await refused
    store.append("t", long)
    assert [kind for kind, _, _ in rows(path, STORED, "t")] == ["text", "text", "blob"]
    async with store.read() as view:
        assert {event.payload["message"] for event in await view.events("t")} == {PROSE}
    await store.aclose()
    monkeypatch.setattr(migrations, "known", lambda: earlier)
    with pytest.raises(SchemaTooNew, match="034_compressed"):
        open_store(f"sqlite:///{path}")


async def test_a_moved_store_has_the_same_payloads(store: SqliteStore, path: Path, tmp_path: Path) -> None:
    store.append("t", NewEvent(event_type="tool_result", payload=ODD))
    async with store.read() as view:
        (before,) = await view.events("t")
    copy = tmp_path / "moved.db"
    await store.aclose()
    move_store(f"sqlite:///{path}", f"sqlite:///{copy}")
    assert rows(copy, STORED, "t") == [("blob", "null", 0)]
    moved = open_store(f"sqlite:///{copy}")
    async with moved.read() as view:
        (after,) = await view.events("t")
    await moved.aclose()
    assert bytes(after.payload_json) == bytes(before.payload_json)
