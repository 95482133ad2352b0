"""Test that logs in cold storage are verified in place, and that an erasure brings a task back first."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from e2e.random_run import run
from signalbox.store import NewEvent, Store, open_store
from signalbox.store.backup import create_backup
from signalbox.store.chain.findings import LogReport
from signalbox.store.cold.errors import ColdFileTooNew
from signalbox.store.verification import open_source, verify_task
from signalbox.store.verification.cold_file import verify_cold_file

TEXT = "Zyxwv Utsrq"


@pytest.fixture
async def cold(tmp_path: Path) -> AsyncIterator[Store]:
    """A store whose only task is in cold storage."""
    found = open_store(f"sqlite:///{tmp_path / 'signalbox.db'}")
    events = list(run(seed=6, length=60))
    await found.aappend("run", [*events, NewEvent(event_type="log", payload={"message": TEXT})])
    await found.aappend("run", NewEvent(event_type="runner_exit", span_id="main", payload={"exit_code": 0}))
    assert found.cold is not None
    await found.cold.amove("run", actor="ann")
    yield found
    await found.aclose()


def report(store: Store) -> LogReport:
    with open_source(store.url) as source:
        return verify_task(source, "run")


def cold_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*.cold") if path.is_file()]


async def test_a_log_in_cold_storage_is_verified_in_its_file(cold: Store, tmp_path: Path) -> None:
    found = report(cold)
    assert (found.intact, found.events, found.linked_from) == (True, found.latest_seq, 1)
    assert found.events > 60
    (file,) = cold_files(tmp_path)
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)
    assert [fault.kind for fault in report(cold).faults] == ["unreadable"]
    file.unlink()
    assert [fault.kind for fault in report(cold).faults] == ["unreadable"]


async def test_a_cold_file_is_verified_without_its_database(cold: Store, tmp_path: Path) -> None:
    expected, (file,) = report(cold), cold_files(tmp_path)
    content = bytearray(file.read_bytes())
    alone = tmp_path / "elsewhere" / "any name"
    alone.parent.mkdir()
    alone.write_bytes(content)
    assert verify_cold_file(alone) == expected
    unsigned = verify_cold_file(alone, must_be_signed=True)
    assert [fault.kind for fault in unsigned.faults] == ["unsigned"]
    for at in (100, len(content) // 2, len(content) - 1):
        content[at] ^= 1
        alone.write_bytes(content)
        assert [fault.kind for fault in verify_cold_file(alone).faults] == ["unreadable"], at
        content[at] ^= 1
    alone.write_bytes(content[:-1000])
    assert [fault.kind for fault in verify_cold_file(alone).faults] == ["unreadable"]


async def test_a_change_that_was_packed_is_found_in_a_cold_file_as_in_the_database(cold: Store, tmp_path: Path) -> None:
    assert cold.cold is not None
    await cold.cold.arestore("run")
    with closing(sqlite3.connect(tmp_path / "signalbox.db")) as database, database:
        database.execute("UPDATE task_events SET actor = 'someone' WHERE seq = 5")
    await cold.cold.amove("run", actor="ann")
    (file,) = cold_files(tmp_path)
    found = verify_cold_file(file)
    assert [(fault.kind, fault.seq) for fault in found.faults] == [("changed", 5)]
    assert found == report(cold)


async def test_a_cold_file_of_a_newer_version_is_not_called_damaged(
    cold: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file,) = cold_files(tmp_path)
    monkeypatch.setattr("signalbox.store.cold.layout.FORMAT", 0)
    with pytest.raises(ColdFileTooNew, match="has the format 1"):
        verify_cold_file(file)


async def test_a_backup_is_verified_with_the_cold_files_that_it_has(cold: Store, tmp_path: Path) -> None:
    backup = tmp_path / "elsewhere" / "backup.db"
    backup.parent.mkdir()
    create_backup(cold.url, backup)
    for file in cold_files(tmp_path):
        file.unlink()
    with open_source(f"sqlite:///{backup}") as source:
        found = verify_task(source, "run")
    assert (found.intact, found.events) == (True, found.latest_seq)


async def test_erasing_in_cold_storage_brings_the_task_back_and_deletes_its_file(cold: Store, tmp_path: Path) -> None:
    async with cold.read() as view:
        (seq,) = (event.seq for event in await view.events("run", 0, 1000) if event.payload.get("message") == TEXT)
    assert await cold.aerase_events("run", [seq], actor="ann", reason="asked for") == [seq]
    assert cold_files(tmp_path) == []
    assert (report(cold).intact, report(cold).erased) == (True, [seq])
    assert cold.cold is not None
    await cold.cold.amove("run", actor="ann")
    assert (report(cold).intact, report(cold).erased) == (True, [seq])
