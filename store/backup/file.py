"""The file of a backup: writing it so that it appears complete or not at all, and checking it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from signalbox.store.backup.errors import BackupRefused, DamagedBackup
from signalbox.store.events import new_id
from signalbox.store.sqlite.connection import translated_errors, uri
from signalbox.store.sqlite.doctor import examine

OLDER = "old"
"""The finding about a database of an earlier version, which a restored store migrates."""


class BackupContent(NamedTuple):
    """What a backup has: the number of its tasks and events, and its size in bytes."""

    tasks: int
    events: int
    size: int


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield the path of a file beside `path` to write to. At the end of the block it becomes `path`, durably.

    Nothing is left of it if the block raises. Raises BackupRefused if there is something at `path`.
    """
    if not path.parent.is_dir():
        raise BackupRefused(f"there is no directory {path.parent}")
    refuse_existing(path)
    unfinished = path.with_name(f".{path.name}.{new_id()}.unfinished")
    try:
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield unfinished
        refuse_existing(path)
        make_durable(unfinished)
        unfinished.rename(path)
        make_durable(path.parent)
    except OSError as error:
        raise BackupRefused(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        for ending in ("", "-journal", "-wal", "-shm"):
            unfinished.with_name(unfinished.name + ending).unlink(missing_ok=True)


def refuse_existing(path: Path) -> None:
    """Raise BackupRefused if there is something at `path`."""
    if path.exists():
        raise BackupRefused(f"{path} exists, and is not overwritten: choose another name, or delete it")


def copy_database(source: Path, copy: Path) -> None:
    """Copy the present state of a database to the file `copy`, which is complete without other files.

    Programs may write to the source meanwhile. Raises StoreError.
    """
    with (
        translated_errors(),
        closing(sqlite3.connect(uri(source, read_only=True), uri=True)) as live,
        closing(sqlite3.connect(copy)) as copied,
    ):
        live.backup(copied)
        make_single(copied)


def make_single(database: sqlite3.Connection) -> None:
    """End the write-ahead mode of a database, so that its file is complete without others."""
    database.execute("PRAGMA journal_mode = DELETE").fetchall()


def make_durable(path: Path) -> None:
    """Write a file, or the entries of a directory, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def checked(path: Path, name: Path | None = None) -> BackupContent:
    """Open a backup, examine all of it, and return what it has. Raises DamagedBackup, which calls it `name`."""
    faults = [f"{found.code}: {found.message}" for found in examine(path) if found.code != OLDER]
    if faults:
        raise DamagedBackup(str(name or path), faults)
    with closing(sqlite3.connect(uri(path, read_only=True), uri=True)) as database:
        (tasks,) = database.execute("SELECT count(*) FROM tasks").fetchone()
        (events,) = database.execute("SELECT count(*) FROM task_events").fetchone()
    return BackupContent(tasks, events, path.stat().st_size)
