"""The files of cold storage in a backup: each is stored in pieces in a table of the backup's own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from signalbox.store.backup.errors import BackupRefused
from signalbox.store.cold.errors import ColdFileMissing
from signalbox.store.cold.moves.places import OWN_DIRECTORY, ColdPlaces, new_name
from signalbox.store.cold.places import ReadablePlace
from signalbox.store.cold.temporary import temporary_folder
from signalbox.store.cold.verify import verify
from signalbox.store.sqlite.file_uri import uri

PIECE_BYTES = 1024 * 1024

_CREATE = (
    "CREATE TABLE cold_files (name TEXT NOT NULL, number INTEGER NOT NULL, content BLOB NOT NULL,"
    " PRIMARY KEY (name, number))"
)
_COLD = "SELECT task_id, place, name, sha256 FROM cold_tasks WHERE stage <> 'packing' ORDER BY task_id"


class FileGone(Exception):
    """A file was deleted after the database was copied, because its task was restored or deleted."""


class ColdRow(NamedTuple):
    """The row of a task in cold storage."""

    task_id: str
    place: str
    name: str
    sha256: str


def add_files(copy: Path, places: ColdPlaces) -> None:
    """Add the files of all tasks in cold storage to a copy of a database, and verify them.

    Raises FileGone, ColdFileDamaged and ColdPlaceUnavailable.
    """
    with closing(sqlite3.connect(copy, isolation_level=None)) as database:
        if not _has_table(database, "cold_tasks"):
            return  # a database of an earlier version
        database.execute("DELETE FROM cold_tasks WHERE stage = 'packing'")
        found = _rows(database)
        if not found:
            return
        database.execute(_CREATE)
        for row in found:
            place = places.open(row.place)
            database.execute("BEGIN")
            try:
                for number, piece in enumerate(_pieces(place, row.name)):
                    database.execute("INSERT INTO cold_files VALUES (?, ?, ?)", (row.name, number, piece))
            except ColdFileMissing as error:
                raise FileGone(str(error)) from error
            database.execute("COMMIT")
            verify(BackupPlace(database), row.name, row.sha256)


def name_places(copy: Path, places: ColdPlaces) -> None:
    """Store the whole path of the directory beside a database in the database, which gets another name.

    Does nothing for a database of an earlier version.
    """
    with closing(sqlite3.connect(copy)) as database:
        if places.own_url is None or not _has_table(database, "cold_tasks"):
            return
        if database.execute("SELECT 1 FROM cold_tasks WHERE place = ?", (OWN_DIRECTORY,)).fetchone() is not None:
            database.execute("UPDATE cold_tasks SET place = ? WHERE place = ?", (places.own_url, OWN_DIRECTORY))
            database.commit()


def check_files(backup: Path) -> None:
    """Verify each file in a backup. Raises ColdFileDamaged. Does nothing for a backup without files."""
    with closing(sqlite3.connect(uri(backup, read_only=True), uri=True)) as database:
        if has_files(database):
            for row in _rows(database):
                verify(BackupPlace(database), row.name, row.sha256)


def unpack_files(copy: Path, places: ColdPlaces) -> list[str]:
    """Write the files in a copy of a backup to the place for new files, under names of the copy's epoch.

    Return these names. Raises BackupRefused if there is no place, and the errors of the place; then no file is left.
    """
    written: list[str] = []
    with closing(sqlite3.connect(copy, isolation_level=None)) as database:
        if not has_files(database):
            return written
        if places.chosen is None:
            raise BackupRefused(
                "the backup has tasks in cold storage: name the directory or bucket for their files with --cold-storage"
            )
        (epoch,) = database.execute("SELECT value FROM store_facts WHERE name = 'epoch'").fetchone()
        place = places.open(places.chosen)
        try:
            for row in _rows(database):
                name = new_name(epoch)
                with temporary_folder() as folder:
                    with (folder / name).open("xb") as file:
                        file.writelines(_pieces(BackupPlace(database), row.name))
                    written.append(name)
                    place.store(name, folder / name)
                database.execute(
                    "UPDATE cold_tasks SET place = ?, name = ? WHERE task_id = ?", (places.chosen, name, row.task_id)
                )
            database.execute("DROP TABLE cold_files")
            database.execute("VACUUM")
        except BaseException:
            delete_files(places, written)
            raise
    return written


def delete_files(places: ColdPlaces, names: list[str]) -> None:
    """Delete files that were written for a restore that failed."""
    for name in names:
        places.open(places.for_new_files()).delete(name)


class BackupPlace(ReadablePlace):
    """Implements `ReadablePlace` for the files in a backup."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    @property
    def url(self) -> str:
        return "the backup"

    def size(self, name: str) -> int:
        sql = "SELECT sum(length(content)) FROM cold_files WHERE name = ?"
        size: int | None = self._database.execute(sql, (name,)).fetchone()[0]
        if size is None:
            raise ColdFileMissing(name, self.url)
        return size

    def read(self, name: str, offset: int, length: int) -> bytes:
        first, last = offset // PIECE_BYTES, (offset + max(length, 1) - 1) // PIECE_BYTES
        sql = "SELECT content FROM cold_files WHERE name = ? AND number BETWEEN ? AND ? ORDER BY number"
        content = b"".join(piece for (piece,) in self._database.execute(sql, (name, first, last)))
        start = offset - first * PIECE_BYTES
        return content[start : start + length]


def _pieces(place: ReadablePlace, name: str) -> Iterator[bytes]:
    size = place.size(name)
    for offset in range(0, size, PIECE_BYTES):
        yield place.read(name, offset, min(PIECE_BYTES, size - offset))


def _rows(database: sqlite3.Connection) -> list[ColdRow]:
    return [ColdRow(*row) for row in database.execute(_COLD).fetchall()]


def cold_content(database: sqlite3.Connection) -> tuple[int, tuple[str, ...]]:
    """Return the number of events in the cold files of a backup, and the places of files that it does not have."""
    if not _has_table(database, "cold_tasks"):
        return 0, ()
    (events,) = database.execute("SELECT coalesce(sum(events), 0) FROM cold_tasks WHERE stage = 'cold'").fetchone()
    places = database.execute("SELECT DISTINCT place FROM cold_tasks WHERE stage <> 'packing' ORDER BY place")
    return events, () if _has_table(database, "cold_files") else tuple(place for (place,) in places)


def has_files(database: sqlite3.Connection) -> bool:
    """Return whether a database is a backup that has files of cold storage."""
    return _has_table(database, "cold_files")


def _has_table(database: sqlite3.Connection, name: str) -> bool:
    sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return database.execute(sql, (name,)).fetchone() is not None
