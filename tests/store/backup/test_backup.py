"""Test that a backup has the whole store, and that a restored store is equal to it."""

from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from signalbox.store import NewEvent, Store, StoreError, open_store, open_task
from signalbox.store.backup import BackupRefused, DamagedBackup, create_backup, restore_backup
from signalbox.store.sqlite.doctor import examine
from tests.store.moving.conftest import KINDS, PAIRS, PROGRAMS, SQLITE
from tests.support.raw_rows import rows_of

LINE = NewEvent(event_type="log", payload={"message": "hello \x00 world", "number": 123456789012345678901234567890})
ALL_KINDS = [pytest.param(kind, marks=PROGRAMS if kind != SQLITE else []) for kind in KINDS]


def fill(store: Store) -> None:
    for number in range(12):
        store.append(f"t{number}", [LINE] * 30)
    store.append("asking", NewEvent(event_type="permission_request", payload={"request_id": "r", "tool_name": "rm"}))
    store.append("t0", NewEvent(event_type="runner_exit", payload={"exit_code": 1, "message": "boom"}))
    with open_task(store, "files") as task:
        task.artifact(b"\x00\xff" * 100_000, "picture.bin")
    store.delete_task("t11")


def rows_without_epoch(url: str) -> dict[str, list[str]]:
    rows = rows_of(url)
    return rows | {"facts": [fact for fact in rows["facts"] if not fact.startswith("('epoch'")]}


@pytest.mark.long
@pytest.mark.parametrize("pair", PAIRS)
def test_a_restored_store_is_equal_to_the_one_of_the_backup(urls: tuple[str, str], tmp_path: Path) -> None:
    source, target = urls
    with closing(open_store(source)) as store:
        fill(store)
        epoch = store.epoch
    content = create_backup(source, tmp_path / "backup.db")
    assert (content.tasks, content.size) == (13, (tmp_path / "backup.db").stat().st_size)
    restored = restore_backup(tmp_path / "backup.db", target)
    assert restored.content == content
    assert rows_without_epoch(target) == rows_without_epoch(source)
    with closing(open_store(target)) as store:
        assert store.epoch != epoch
        assert store.append("t0", LINE)[0].seq == 32


@pytest.mark.long
@pytest.mark.parametrize("kind", ALL_KINDS)
def test_a_backup_while_programs_write_has_the_state_of_one_moment(
    kind: str, new_url: Callable[[str], str], tmp_path: Path
) -> None:
    url, ended = new_url(kind), threading.Event()

    def write(number: int) -> None:
        with closing(open_store(url)) as store:
            while not ended.is_set():
                store.append(f"busy{number}", [LINE] * 7)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(2)]
    with closing(open_store(url)) as store:
        fill(store)
        for writer in writers:
            writer.start()
        try:
            for number in range(3):
                path = tmp_path / f"backup-{number}.db"
                create_backup(url, path)
                with closing(sqlite3.connect(path)) as copy:
                    counts = copy.execute(
                        "SELECT count(*) FROM task_events WHERE task_id LIKE 'busy%' GROUP BY task_id"
                    ).fetchall()
                assert all(count % 7 == 0 for (count,) in counts), "a group is in a backup as a whole or not at all"
        finally:
            ended.set()
            for writer in writers:
                writer.join()


def test_a_backup_is_one_private_file_that_its_check_did_not_change(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    with closing(open_store(url)) as store:
        fill(store)
        create_backup(url, tmp_path / "backups.db")
    assert stat.S_IMODE((tmp_path / "backups.db").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir() if "backup" in path.name) == ["backups.db"]
    assert list(examine(tmp_path / "backups.db")) == []


def test_neither_command_overwrites_anything_by_itself(tmp_path: Path) -> None:
    url, backup = f"sqlite:///{tmp_path}/store.db", tmp_path / "backup.db"
    with closing(open_store(url)) as store:
        fill(store)
    create_backup(url, backup)
    before = backup.read_bytes()
    with pytest.raises(BackupRefused, match="exists"):
        create_backup(url, backup)
    with pytest.raises(BackupRefused, match="--replace"):
        restore_backup(backup, url)
    with pytest.raises(BackupRefused, match="the database itself"):
        restore_backup(backup, f"sqlite:///{backup}", replace=True)
    assert backup.read_bytes() == before


def test_a_replaced_database_is_kept(tmp_path: Path) -> None:
    url, backup = f"sqlite:///{tmp_path}/store.db", tmp_path / "backup.db"
    with closing(open_store(url)) as store:
        fill(store)
    create_backup(url, backup)
    with closing(open_store(url)) as store:
        store.append("later", LINE)
    restored = restore_backup(backup, url, replace=True)
    assert restored.replaced is not None
    with closing(open_store(f"sqlite:///{restored.replaced}")) as kept:
        assert kept.append("later", LINE)[0].seq == 2
    with closing(open_store(url)) as store:
        assert store.append("later", LINE)[0].seq == 1


def test_a_database_in_use_is_not_replaced(tmp_path: Path) -> None:
    url, backup = f"sqlite:///{tmp_path}/store.db", tmp_path / "backup.db"
    with closing(open_store(url)) as store:
        fill(store)
        create_backup(url, backup)
        with pytest.raises(StoreError, match="in use"):
            restore_backup(backup, url, replace=True)
        assert store.append("t0", LINE)[0].seq == 32


@pytest.mark.long
@pytest.mark.parametrize("kind", [kind for kind in ALL_KINDS if kind.values[0] != SQLITE])
def test_a_postgresql_store_is_replaced_only_on_request(
    kind: str, new_url: Callable[[str], str], tmp_path: Path
) -> None:
    url, backup = new_url(kind), tmp_path / "backup.db"
    with closing(open_store(url)) as store:
        fill(store)
    create_backup(url, backup)
    with closing(open_store(url)) as store:
        store.append("later", LINE)
    with pytest.raises(StoreError, match="not empty"):
        restore_backup(backup, url)
    restore_backup(backup, url, replace=True)
    with closing(open_store(url)) as store:
        assert store.append("later", LINE)[0].seq == 1


@pytest.mark.parametrize("damage", ["cut", "overwritten", "foreign", "empty"])
def test_a_damaged_backup_is_refused_and_nothing_changes(tmp_path: Path, damage: str) -> None:
    url, backup = f"sqlite:///{tmp_path}/store.db", tmp_path / "backup.db"
    with closing(open_store(url)) as store:
        fill(store)
    create_backup(url, backup)
    content = backup.read_bytes()
    if damage == "foreign":
        backup.unlink()
        with closing(sqlite3.connect(backup)) as other:
            other.execute("CREATE TABLE tasks (name)")
    else:
        half = len(content) // 2
        backup.write_bytes(
            {"cut": content[:half], "overwritten": content[:half] + b"\xff" * half, "empty": b""}[damage]
        )
    with pytest.raises(DamagedBackup, match=r"backup\.db is not a backup that can be restored"):
        restore_backup(backup, f"sqlite:///{tmp_path}/new.db")
    assert not (tmp_path / "new.db").exists()


def test_a_faulty_store_leaves_no_backup(tmp_path: Path) -> None:
    database = tmp_path / "store.db"
    with closing(open_store(f"sqlite:///{database}")) as store:
        fill(store)
    with closing(sqlite3.connect(database)) as raw:
        raw.execute("UPDATE task_event_seq_counters SET last_seq = 3 WHERE task_id = 't5'")
        raw.commit()
    with pytest.raises(DamagedBackup, match="t5"):
        create_backup(f"sqlite:///{database}", tmp_path / "backup.db")
    assert not [path.name for path in tmp_path.iterdir() if "backup" in path.name]
