"""The file of a backup: writing and checking it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from signalbox.store.backup.cold_files import check_files, cold_content
from signalbox.store.backup.errors import BackupRefused, DamagedBackup
from signalbox.store.backup.one_writer import only_writer
from signalbox.store.errors import StoreDamaged
from signalbox.store.sqlite.copies import new_file
from signalbox.store.sqlite.doctor import examine
from signalbox.store.sqlite.file_uri import uri

OLDER = "old"
"""The finding about a database of an earlier version, which a restored store migrates."""


class BackupContent(NamedTuple):
    """What a backup has: the number of its tasks and events, and its size in bytes.

    `cold_elsewhere` are the directories and buckets with the files of its cold tasks, if it does not have them itself.
    """

    tasks: int
    events: int
    size: int
    cold_elsewhere: tuple[str, ...] = ()


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """Yield the path of a file that becomes `path` at the end of the block. Raises BackupRefused if it cannot.

    What an earlier process that was killed has left beside `path` is removed.
    """
    if not path.parent.is_dir():
        raise BackupRefused(f"there is no directory {path.parent}")
    try:
        with only_writer(path), new_file(path) as unfinished:
            yield unfinished
    except FileExistsError as error:
        raise BackupRefused(str(error)) from error
    except OSError as error:
        raise BackupRefused(f"cannot write {path}: {error.strerror or error}") from error


def checked(path: Path, name: Path | None = None) -> BackupContent:
    """Open a backup, examine all of it, and return what it has. Raises DamagedBackup, which calls it `name`."""
    faults = [f"{found.code}: {found.message}" for found in examine(path) if found.code != OLDER]
    if not faults:
        try:
            check_files(path)
        except StoreDamaged as error:
            faults.append(str(error))
    if faults:
        raise DamagedBackup(str(name or path), faults)
    with closing(sqlite3.connect(uri(path, read_only=True), uri=True)) as database:
        (tasks,) = database.execute("SELECT count(*) FROM tasks").fetchone()
        (events,) = database.execute("SELECT count(*) FROM task_events").fetchone()
        cold_events, without_files = cold_content(database)
    return BackupContent(tasks, events + cold_events, path.stat().st_size, without_files)
