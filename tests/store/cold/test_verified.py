"""Test that logs in cold storage are verified in place, and that an erasure brings a task back first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from e2e.random_run import run
from signalbox.store import NewEvent, Store, open_store
from signalbox.store.backup import create_backup
from signalbox.store.chain.findings import LogReport
from signalbox.store.verification import open_source, verify_task

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
