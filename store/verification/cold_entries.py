"""The events of a task in cold storage, with their links."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import NamedTuple

from signalbox.store.chain.verification import Entry
from signalbox.store.cold.errors import ColdPlaceUnavailable
from signalbox.store.cold.file import ColdFile
from signalbox.store.cold.places import open_place
from signalbox.store.moving.tables import EVENTS
from signalbox.store.sql.log_links import Query, as_link
from signalbox.store.sql.rows import COLUMNS, event_of
from signalbox.store.terminal_escapes import plain_json
from signalbox.store.verification.source import LogSource

_COLUMNS = EVENTS.places(*(name.strip() for name in COLUMNS.split(",")))
_PAYLOAD, _PLAIN, _LINK = EVENTS.places("payload", "plain", "link")
REDACTED = "SELECT seq, digest FROM redacted_events WHERE task_id = ?"
_FILES = (
    "SELECT k.task_id, k.place, k.name, k.sha256 FROM cold_tasks k JOIN tasks t ON t.task_id = k.task_id"
    " WHERE t.cold = 1"
)


class FileOfTask(NamedTuple):
    """The file of a task. `place` is empty for the directory beside the database."""

    place: str
    name: str
    digest: str


def file_of(query: Query, task_id: str) -> FileOfTask | None:
    """Return the file of a task, or None if the log of the task is in the database."""
    return next((file for _, file in _files(query, " AND k.task_id = ?", task_id)), None)


def files_of_tasks(query: Query) -> Iterator[tuple[str, FileOfTask]]:
    """Yield the id of each task in cold storage, and its file."""
    return _files(query, " ORDER BY k.task_id")


def _files(query: Query, rest: str, *values: object) -> Iterator[tuple[str, FileOfTask]]:
    for task_id, place, name, digest in query(_FILES + rest, values):
        yield str(task_id), FileOfTask(str(place), str(name), str(digest))


def cold_entries(source: LogSource, task_id: str, file: FileOfTask) -> Iterator[Entry]:
    """Yield the events of a task by seq from its file.

    Raises ColdFileMissing, ColdFileDamaged, and ColdPlaceUnavailable also if the place is not known.
    """
    place = source.cold_files
    if place is None:
        if not (url := file.place or source.cold_storage):
            raise ColdPlaceUnavailable("the place of the cold files is not known: name it with --cold-storage")
        place = open_place(url)
    redacted = dict(source.query(REDACTED, (task_id,)))
    with closing(ColdFile.open(place, file.name, file.digest)) as opened:
        yield from entries_in(opened, redacted)


def entries_in(file: ColdFile, redacted: Mapping[int, bytes]) -> Iterator[Entry]:
    """Yield the events of an open file by seq. `redacted` has the digests of `REDACTED` by seq."""
    for rows in file.events():
        for row in rows:
            event = event_of([row[at] for at in _COLUMNS])
            right = row[_PLAIN] == plain_json(str(row[_PAYLOAD]))
            wrong = "" if right else "its column plain does not fit its payload"
            digest = redacted.get(event.seq)
            yield Entry(event, as_link(row[_LINK]), None if digest is None else bytes(digest), wrong)
