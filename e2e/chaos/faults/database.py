"""Faults of a SQLite database: its lock, its disk and its file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from e2e.chaos.faults.registry import fault
from e2e.chaos.truth import FileTruth
from e2e.chaos.world import World


def on_a_file(world: World) -> bool:
    return world.file_truth is not None


def _file(world: World) -> FileTruth:
    assert world.file_truth is not None
    return world.file_truth


@fault(3, 1.0, on_a_file)
def write_lock_held(world: World) -> Iterator[None]:
    holder = sqlite3.connect(_file(world).path, timeout=10, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    yield
    holder.execute("ROLLBACK")
    holder.close()


@fault(2, 0.2, on_a_file)
def checkpointed_by_another_process(world: World) -> Iterator[None]:
    with suppress(sqlite3.OperationalError):
        other = sqlite3.connect(_file(world).path, timeout=5)
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        other.close()
    yield


@fault(2, 1.0, lambda world: on_a_file(world) and world.disk.limited)
def disk_full(world: World) -> Iterator[None]:
    world.disk.fill()
    yield
    # SQLite may still have room in pages that it owns; once those are full, the server reports the disk.
    refused = world.status(
        "/api/tasks/on-a-full-disk/events", json={"event_type": "log", "payload": {"m": "x" * 99_999}}
    )
    if refused not in (201, 503):
        world.record_error(f"an append on a full disk was answered {refused}")
    if refused == 503:
        world.until(lambda: world.status("/api/events/health") == 503, "health says that the disk is full", timeout=8)
    world.disk.empty()


@fault(2, 1.0, on_a_file)
def database_moved_away_and_back(world: World) -> Iterator[None]:
    home, folder = _file(world).path.parent, _folder_on_same_disk(world)
    _move(world, home, folder)
    yield
    refused = world.status("/api/tasks/nowhere/events", json={"event_type": "log"})
    if refused != 503:
        world.record_error(f"an append to a deleted database was answered {refused}")
    world.until(lambda: world.status("/api/events/health") == 503, "health says that the database is gone", timeout=8)
    if _file(world).path.exists():
        world.record_error("a new database was created where the old one was moved away")
    _move(world, folder, home)


@fault(2, 0.3, on_a_file)
def older_database_restored(world: World) -> Iterator[None]:
    world.settle()
    path = _file(world).path
    backup = path.with_suffix(".backup")
    _file(world).back_up(backup)
    world.write(5)
    world.settle()
    home, folder = path.parent, _folder_on_same_disk(world)
    _move(world, home, folder)
    backup.rename(path)
    for file in folder.iterdir():
        file.unlink()
    world.expect_only_stored_events()
    yield


def _folder_on_same_disk(world: World) -> Path:
    """Return a folder on the same file system, so that a moved file keeps its inode."""
    folder = _file(world).path.parent / "moved"
    folder.mkdir(exist_ok=True)
    return folder


def _move(world: World, source: Path, target: Path) -> None:
    """Move the database together with its -wal and -shm files."""
    for ending in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            (source / (_file(world).path.name + ending)).rename(target / (_file(world).path.name + ending))
