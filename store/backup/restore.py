"""Restoring a backup into a database of either kind."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from signalbox.store.backup.cold_files import delete_files, name_places, unpack_files
from signalbox.store.backup.errors import BackupRefused
from signalbox.store.backup.file import BackupContent, checked, written
from signalbox.store.cold.moves.places import ColdPlaces, places_of
from signalbox.store.kinds import is_postgresql, sqlite_path, sqlite_url, unknown_kind
from signalbox.store.moving.copy_once import copy_once
from signalbox.store.moving.opening import open_side
from signalbox.store.moving.side import DatabaseSide
from signalbox.store.sqlite import SqliteStore
from signalbox.store.sqlite.connection import translated_errors
from signalbox.store.sqlite.copies import copy_database, make_durable, make_single


class Restored(NamedTuple):
    """A restored store: what it has, and the path under which the database that it replaced is kept, if any."""

    content: BackupContent
    replaced: Path | None


def restore_backup(
    path: Path,
    url: str,
    *,
    replace: bool = False,
    cold_storage: str | None = None,
    pause_point: Callable[[], None] = lambda: None,
) -> Restored:
    """Make the database at `url` a store with the content of a backup and a new epoch.

    The files of cold storage in the backup go to `cold_storage`, or without it to the directory beside a SQLite file.
    Without `replace` the database must be new or empty. With it, a SQLite file is kept under another name, and the
    content of a PostgreSQL database is deleted. No program may use the database meanwhile.

    Raises DamagedBackup, BackupRefused, MoveRefused, StoreUnavailable and UnknownStoreKind.
    """
    if (database := sqlite_path(url)) is None and not is_postgresql(url):
        raise unknown_kind(url, "restore into")
    if not path.is_file():
        raise BackupRefused(f"there is no backup {path}")
    content, places = checked(path), places_of(url, cold_storage)
    if database is not None:
        return Restored(content, _restore_file(path, database, replace, places))
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".signalbox-restore-") as folder:
        copy = Path(folder) / "store.db"
        _copy_with_new_epoch(path, copy)
        names = unpack_files(copy, places)
        try:
            _restore_rows(copy, url, replace, pause_point)
        except BaseException:
            delete_files(places, names)
            raise
    return Restored(content, None)


def _restore_file(backup: Path, database: Path, replace: bool, places: ColdPlaces) -> Path | None:
    """Put a copy of the backup at the path of the database. Return the path of the database that was there."""
    kept = None
    if database.exists():
        if not replace:
            raise BackupRefused(
                f"there is a database {database}: name another file, or keep it under another name with --replace"
            )
        if backup.samefile(database):
            raise BackupRefused(f"{backup} is the database itself")
        kept = database.with_name(f"{database.name}.replaced-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
        # The lock shows that no program uses the database, and leaves its content in one file.
        with closing(open_side(sqlite_url(database), target=True)):
            pass
    staged = database.with_name(f".{database.name}.restored")
    staged.unlink(missing_ok=True)  # A restore that was killed before it could rename the file has left it.
    with written(staged) as unfinished:
        _copy_with_new_epoch(backup, unfinished)
        unpack_files(unfinished, places)
    if kept is not None:
        name_places(database, places)
        database.rename(kept)
    for ending in ("-wal", "-shm"):
        database.with_name(database.name + ending).unlink(missing_ok=True)
    staged.rename(database)
    make_durable(database.parent)
    return kept


def _copy_with_new_epoch(backup: Path, copy: Path) -> None:
    """Copy a backup, migrate the copy, and give it a new epoch."""
    with translated_errors():
        copy_database(backup, copy)
    with closing(sqlite3.connect(copy)) as database:
        database.execute("DELETE FROM store_facts WHERE name = 'epoch'")
        database.commit()
    SqliteStore(copy, sqlite_url(copy)).close()
    with closing(sqlite3.connect(copy)) as database:
        make_single(database)


def _restore_rows(copy: Path, url: str, replace: bool, pause_point: Callable[[], None]) -> None:
    with (
        closing(open_side(sqlite_url(copy), target=False)) as source,
        closing(open_side(url, target=True)) as target,
    ):
        if replace and target.exists:
            _empty(target)
        copy_once(source, target, pause_point)


def _empty(target: DatabaseSide) -> None:
    target.create()
    with target.writing(durable=True):
        target.empty()
