"""Copies of a database that are one file, complete by itself, and there as a whole or not at all."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from signalbox.store.events import new_id
from signalbox.store.sqlite.file_uri import uri


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield the path of a file beside `path` to write to. At the end of the block it becomes `path`, durably.

    Only the owner can read it. Nothing is left of it if the block raises. Raises OSError, and FileExistsError if there
    is something at `path`.
    """
    _refuse_existing(path)
    unfinished = path.with_name(f".{path.name}.{new_id()}.unfinished")
    try:
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield unfinished
        _refuse_existing(path)
        make_durable(unfinished)
        unfinished.rename(path)
        make_durable(path.parent)
    finally:
        for ending in ("", "-journal", "-wal", "-shm"):
            unfinished.with_name(unfinished.name + ending).unlink(missing_ok=True)


def copy_database(source: Path, copy: Path) -> None:
    """Copy the present state of a database to the file `copy`. Programs may write to the source meanwhile.

    Raises sqlite3.DatabaseError.
    """
    with (
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


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise FileExistsError(f"{path} exists, and is not overwritten: choose another name, or delete it")
