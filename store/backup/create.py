"""Making a backup while programs write to the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from signalbox.store.backup.cold_files import FileGone, add_files, name_places
from signalbox.store.backup.errors import BackupRefused, DamagedBackup
from signalbox.store.backup.file import BackupContent, checked, written
from signalbox.store.cold.moves.places import places_of
from signalbox.store.kinds import is_postgresql, sqlite_path, sqlite_url, unknown_kind
from signalbox.store.moving.copy_once import copy_once
from signalbox.store.moving.opening import open_side
from signalbox.store.sqlite.connection import create_private, refuse_moved_file, translated_errors
from signalbox.store.sqlite.copies import copy_database, make_single
from signalbox.store.sqlite.file_uri import uri

ATTEMPTS = 3
"""A task may leave cold storage while its file is copied. Then the backup begins again."""


def create_backup(
    url: str, path: Path, *, cold_files: bool = True, pause_point: Callable[[], None] = lambda: None
) -> BackupContent:
    """Write the present state of a store to the new file `path`, which only its owner can read, and check it.

    The backup has the files of cold storage too. Without `cold_files` they must be kept where they are.

    `pause_point` is called every few seconds and may raise to stop. Raises BackupRefused, DamagedBackup if the store
    itself has faults, StoreMoved, StoreUnavailable and UnknownStoreKind; then there is no file.
    """
    if (database := sqlite_path(url)) is None and not is_postgresql(url):
        raise unknown_kind(url, "back up")
    places = places_of(url)
    with written(path) as unfinished:
        for attempt in range(1, ATTEMPTS + 1):
            if database is not None:
                _copy_file(database, unfinished)
            else:
                _copy_rows(url, unfinished, pause_point)
            pause_point()
            if not cold_files:
                name_places(unfinished, places)
                break
            try:
                add_files(unfinished, places)
                break
            except FileGone as error:
                # Its task was restored or deleted after the copy, unless the file is missing now too.
                if attempt == ATTEMPTS:
                    raise DamagedBackup(str(path), [str(error)]) from error
                unfinished.unlink()
                create_private(unfinished)  # SQLite would make it readable for everybody
        return checked(unfinished, path)


def _copy_file(database: Path, copy: Path) -> None:
    if not database.is_file():
        raise BackupRefused(f"there is no database {database}")
    with closing(sqlite3.connect(uri(database, read_only=True), uri=True)) as opened:
        refuse_moved_file(opened)
    with translated_errors():
        copy_database(database, copy)


def _copy_rows(url: str, copy: Path, pause_point: Callable[[], None]) -> None:
    with (
        closing(open_side(url, target=False)) as source,
        closing(open_side(sqlite_url(copy), target=True)) as target,
    ):
        copy_once(source, target, pause_point)
    with closing(sqlite3.connect(copy)) as copied:
        make_single(copied)
