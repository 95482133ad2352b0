"""Test backups, moves to another database and `signalbox doctor` for stores with tasks in cold storage."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from signalbox.store import NewEvent, Store, open_store
from signalbox.store.backup import DamagedBackup, create_backup, restore_backup
from signalbox.store.backup.errors import BackupRefused
from signalbox.store.kinds import sqlite_path
from signalbox.store.moving.move import move_store
from tests.store.contract.conftest import KINDS
from tests.support.command import signalbox
from tests.support.varied_log import record, varied_log

SIZE = 300
LINE = NewEvent(event_type="log", payload={"message": "one more line"})


@pytest.fixture(params=KINDS)
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Return URLs of new databases of each kind."""
    create: Callable[[Path], str] = request.param
    numbers = iter(range(10))

    def url() -> str:
        folder = tmp_path / f"database-{next(numbers)}"
        folder.mkdir()
        return create(folder)

    return url


def fill(url: str, files: Path) -> None:
    """Add three tasks, of which two are in cold storage."""
    with closing(open_store(url, cold_storage=str(files))) as store:
        for number in range(3):
            store.import_task(record(f"t{number}", number), varied_log(f"t{number}", SIZE, number))
        for task_id in ("t0", "t1"):
            asyncio.run(store.cold.amove(task_id))


def change(url: str, sql: str) -> None:
    """Change a database without the store."""
    path = sqlite_path(url)
    database = sqlite3.connect(path) if path is not None else psycopg.connect(url)
    with closing(database), database:
        database.execute(sql)  # type: ignore[arg-type]


def log_after_restore(store: Store, task_id: str) -> list[tuple[int, str]]:
    """Bring a task back with an event, and return its log."""

    async def read() -> list[tuple[int, str]]:
        async with store.read() as view:
            return [(event.seq, event.event_type) for event in await view.events(task_id, 0, 2 * SIZE)]

    store.append(task_id, LINE)
    return asyncio.run(read())


@pytest.mark.long
def test_a_backup_has_the_cold_files_and_a_restored_store_its_own(new_url: Callable[[], str], tmp_path: Path) -> None:
    url, restored, files = new_url(), new_url(), tmp_path / "files"
    fill(url, files)
    made = create_backup(url, tmp_path / "backup.db")
    assert (made.tasks, made.events, made.cold_elsewhere) == (3, 3 * SIZE, ())
    restore_backup(tmp_path / "backup.db", restored, cold_storage=str(tmp_path / "restored"))
    assert len(list((tmp_path / "restored").iterdir())) == 2
    for path in files.iterdir():
        path.unlink()
    with closing(open_store(restored, cold_storage=str(tmp_path / "restored"))) as store:
        assert [seq for seq, _ in log_after_restore(store, "t0")] == list(range(1, SIZE + 2))
        assert asyncio.run(store.cold.afinish()).files == []
        assert asyncio.run(store.cold.averify("t1")).events == SIZE
    assert len(list((tmp_path / "restored").iterdir())) == 1


@pytest.mark.long
def test_a_backup_without_the_cold_files_names_their_place(new_url: Callable[[], str], tmp_path: Path) -> None:
    url, restored, files = new_url(), new_url(), tmp_path / "files"
    fill(url, files)
    made = create_backup(url, tmp_path / "backup.db", cold_files=False)
    assert made.cold_elsewhere == (str(files),)
    restore_backup(tmp_path / "backup.db", restored)
    with closing(open_store(restored)) as store:
        assert [seq for seq, _ in log_after_restore(store, "t0")] == list(range(1, SIZE + 2))
    assert len(list(files.iterdir())) == 2, "the files belong to the other store"


@pytest.mark.long
def test_a_missing_or_damaged_cold_file_stops_the_backup(new_url: Callable[[], str], tmp_path: Path) -> None:
    url, files = new_url(), tmp_path / "files"
    fill(url, files)
    first, second = sorted(files.iterdir())
    content = first.read_bytes()
    first.write_bytes(content[:-40] + bytes([content[-40] ^ 1]) + content[-39:])
    with pytest.raises((DamagedBackup, Exception), match="damaged"):
        create_backup(url, tmp_path / "backup.db")
    first.write_bytes(content)
    second.unlink()
    with pytest.raises(DamagedBackup, match="is missing"):
        create_backup(url, tmp_path / "backup.db")
    assert not (tmp_path / "backup.db").exists()


def test_only_the_owner_reads_a_backup_that_began_again(tmp_path: Path) -> None:
    url, files = f"sqlite:///{tmp_path}/store.db", tmp_path / "files"
    fill(url, files)

    def bring_back() -> None:
        """Bring a task back after the database was copied, and before its file is."""
        for path in tmp_path.glob("*backup.db*"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        with closing(open_store(url, cold_storage=str(files))) as store:
            asyncio.run(store.cold.arestore("t0"))

    made = create_backup(url, tmp_path / "backup.db", pause_point=bring_back)
    assert made.tasks == 3
    assert stat.S_IMODE((tmp_path / "backup.db").stat().st_mode) == 0o600


@pytest.mark.long
def test_a_restore_needs_a_place_for_cold_files(tmp_path: Path) -> None:
    postgresql = [kind for kind in KINDS if kind.id == "postgresql"]
    if not postgresql:
        return
    fill(f"sqlite:///{tmp_path}/store.db", tmp_path / "store.db.cold")
    create_backup(f"sqlite:///{tmp_path}/store.db", tmp_path / "backup.db")
    with pytest.raises(BackupRefused, match="--cold-storage"):
        restore_backup(tmp_path / "backup.db", postgresql[0].values[0](tmp_path))  # type: ignore[operator]


@pytest.mark.long
def test_a_replaced_database_keeps_its_cold_files(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    fill(url, tmp_path / "store.db.cold")
    create_backup(url, tmp_path / "backup.db")
    replaced = restore_backup(tmp_path / "backup.db", url, replace=True).replaced
    for one in (url, f"sqlite:///{replaced}"):
        with closing(open_store(one)) as store:
            assert [seq for seq, _ in log_after_restore(store, "t0")] == list(range(1, SIZE + 2))
            assert asyncio.run(store.cold.averify("t1")).events == SIZE


def test_doctor_reads_every_cold_file(new_url: Callable[[], str], tmp_path: Path) -> None:
    url, files = new_url(), tmp_path / "files"
    fill(url, files)
    examined = signalbox("doctor", "--store", url)
    assert examined.returncode == 0, examined.stdout
    with closing(open_store(url)) as store:
        names = [asyncio.run(store.cold.averify(task_id)).name for task_id in ("t0", "t1")]
    first, second = (files / name for name in names)
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1
    first.write_bytes(content)
    second.unlink()
    found = signalbox("doctor", "--store", url)
    assert found.returncode == 1
    assert f"cold_damaged: task t0: the cold file {first.name}" in found.stdout
    assert f"cold_missing: task t1: the cold file {second.name}" in found.stdout
    assert "2 problems found" in found.stdout, "each file is reported once"


def test_doctor_examines_other_logs_if_a_place_cannot_be_used(new_url: Callable[[], str], tmp_path: Path) -> None:
    url, files = new_url(), tmp_path / "files"
    fill(url, files)
    change(url, "UPDATE task_events SET actor = 'x' WHERE task_id = 't2' AND seq = 2")
    files.rename(tmp_path / "away")
    files.symlink_to(files)
    found = signalbox("doctor", "--json", "--store", url)
    codes = [one["code"] for one in json.loads(found.stdout)]
    assert codes == ["cold_unavailable", "cold_unavailable", "log"]


@pytest.mark.long
def test_a_moved_store_keeps_its_cold_tasks(tmp_path: Path) -> None:
    postgresql = [kind for kind in KINDS if kind.id == "postgresql"]
    if not postgresql:
        return
    source, target = f"sqlite:///{tmp_path}/store.db", postgresql[0].values[0](tmp_path)  # type: ignore[operator]
    files = tmp_path / "store.db.cold"
    fill(source, files)
    move_store(source, target)
    with closing(open_store(target, cold_storage=str(files))) as store:
        assert [seq for seq, _ in log_after_restore(store, "t0")] == list(range(1, SIZE + 2))
        assert asyncio.run(store.cold.averify("t1")).events == SIZE
        asyncio.run(store.cold.amove("t0"))
        assert len(list(files.iterdir())) == 2
