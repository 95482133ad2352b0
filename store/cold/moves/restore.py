"""A restore of one task from its file. It blocks, and runs in a thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

from signalbox.store.artifacts import ArtifactContent
from signalbox.store.cold.file import ColdFile
from signalbox.store.cold.moves.database import MOVED_PARTS, STEP_WEIGHT, ColdDatabase, insert_sql, stored_row
from signalbox.store.cold.moves.pace import STEP_SECONDS, URGENT_REST, rest_after
from signalbox.store.cold.moves.places import ColdPlaces, belongs_to
from signalbox.store.contract import ColdTask
from signalbox.store.errors import ColdFileDamaged, StoreError, StoreUnavailable
from signalbox.store.moving.tables import EVENTS, Row, Table
from signalbox.store.sql import artifacts, audits
from signalbox.store.sql.cold_tasks import restoring
from signalbox.store.sql.cold_tasks.stages import let_go
from signalbox.store.sql.database import Database

T = TypeVar("T")

PART_ROWS = 500
"""Rows of a part that are read together."""

POLL_SECONDS = 0.1
"""Seconds between two looks at a task that another process restores."""


class Restore:
    """Restores one task. `stopped()` says that the store is being closed."""

    def __init__(
        self, database: ColdDatabase, places: ColdPlaces, holder: str, stopped: Callable[[], bool] = lambda: False
    ) -> None:
        self._database, self._places, self._holder, self._stopped = database, places, holder, stopped
        self.done = self.total = 0

    def run(self, task_id: str, identity: str | None = None, audit: audits.AuditRow | None = None) -> bool:
        """Bring a task back, or wait until another process has done it. Return whether its log was in the file.

        Raises UnknownTask, ColdFileMissing, ColdFileDamaged, ColdPlaceUnavailable and StoreUnavailable.
        """
        was_cold = False
        while True:
            found = self._write(lambda db: restoring.begin_restoring(db, task_id, identity, self._holder))
            if found is True:
                return was_cold
            was_cold = True
            if isinstance(found, ColdTask) and self._restore(found, audit):
                return True
            self._pause(POLL_SECONDS)

    def _restore(self, cold: ColdTask, audit: audits.AuditRow | None) -> bool:
        """Write all rows, and make the database the place of the log. Return False if another process took over."""
        place = self._places.open(cold.place)
        file = ColdFile.open(place, cold.name, cold.sha256)
        try:
            self.done, self.total = 0, max(1, file.facts.events)
            # The artifacts come before their contents: contents without an artifact may be deleted.
            if not self._put_parts(cold.task_id, file) or not self._put_events(cold.task_id, file):
                return False
            self._put_contents(file)
        finally:
            file.close()
        if not self._write(lambda db: self._bring_back(db, cold.task_id, audit)):
            return False
        if belongs_to(cold.name, self._database.epoch):
            place.delete(cold.name)
        return True

    def let_go(self) -> None:
        """Let other processes continue at once. Raises nothing."""
        with suppress(StoreError):
            self._write(lambda db: let_go(db, self._holder))

    def _bring_back(self, db: Database, task_id: str, audit: audits.AuditRow | None) -> bool:
        if not restoring.bring_back(db, task_id, self._holder):
            return False
        if audit is not None:
            audits.add(db, audit, task_id, None)
        return True

    def _put_events(self, task_id: str, file: ColdFile) -> bool:
        for rows in file.events():
            put = partial(restoring.put_events, task_id=task_id, holder=self._holder, columns=EVENTS.names)
            if not self._put(put, rows, counted=True):
                return False
        return True

    def _put_parts(self, task_id: str, file: ColdFile) -> bool:
        for table in MOVED_PARTS:
            put = partial(restoring.put_rows, task_id=task_id, holder=self._holder, sql=insert_sql(table))
            for rows in _pages(self._stored(table, file)):
                if not self._put(put, rows):
                    return False
        return True

    def _stored(self, table: Table, file: ColdFile) -> Iterator[Row]:
        dialect = self._database.raw_rows.dialect
        return (stored_row(dialect, table, row) for row in file.rows(table))

    def _put(self, put: Callable[..., int | None], rows: Sequence[Row], *, counted: bool = False) -> bool:
        """Write rows in several steps. Return False if another process took over."""
        at = 0
        while at < len(rows):
            begun = time.monotonic()
            step = partial(put, rows=rows[at:], seconds=STEP_SECONDS)
            done = self._write(step)
            if done is None:
                return False
            at += done
            self.done += done if counted else 0
            self._pause(rest_after(time.monotonic() - begun, URGENT_REST))
        return True

    def _put_contents(self, file: ColdFile) -> None:
        run = self._database.writer.run
        for sha256, size in file.contents():
            content = ArtifactContent(sha256, size)
            if run(partial(artifacts.begin, content=content), 1):
                continue
            for number in range(content.pieces):
                piece = file.piece(sha256, number)
                if piece is None:
                    raise ColdFileDamaged(file.name, f"the artifact {sha256}", "has no complete content")
                run(artifacts.piece_writer(content, number, piece), artifacts.PIECE_WEIGHT)
                self._pause(rest_after(STEP_SECONDS, URGENT_REST))
            if not run(partial(artifacts.complete, content=content), 1):
                # Another process deleted pieces of an upload that it took for abandoned.
                raise StoreUnavailable(f"the artifact {sha256} could not be restored; try again")

    def _pause(self, seconds: float) -> None:
        if self._stopped():
            raise StoreUnavailable("the store is being closed; the restore continues later")
        time.sleep(seconds)

    def _write(self, work: Callable[[Database], T]) -> T:
        return self._database.writer.run(work, STEP_WEIGHT)


def _pages(rows: Iterator[Row]) -> Iterator[list[Row]]:
    page: list[Row] = []
    for row in rows:
        page.append(row)
        if len(page) == PART_ROWS:
            yield page
            page = []
    if page:
        yield page
