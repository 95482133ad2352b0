"""A move of one task to cold storage."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from signalbox.store.cold.errors import TaskChanged
from signalbox.store.cold.file import ColdFile
from signalbox.store.cold.moves.database import STEP_WEIGHT, ColdDatabase
from signalbox.store.cold.moves.pace import REST, rest_after
from signalbox.store.cold.moves.places import ColdPlaces, new_name
from signalbox.store.cold.pack import pack
from signalbox.store.errors import StoreError
from signalbox.store.events import new_id
from signalbox.store.loops import end_tasks
from signalbox.store.sql import audits
from signalbox.store.sql.cold_tasks import moving
from signalbox.store.sql.cold_tasks.moving import PackedFile, TaskNotMovable
from signalbox.store.sql.cold_tasks.stages import HOLD_SECONDS, StoredFile, hold
from signalbox.store.sql.database import Database
from signalbox.store.state import Task

T = TypeVar("T")


class Move:
    """Moves one task. It is a holder of its own, so that no other move of this process takes the task over."""

    def __init__(self, database: ColdDatabase, places: ColdPlaces) -> None:
        self._database, self._places, self.holder = database, places, new_id()

    async def run(self, task_id: str, identity: str | None, audit: audits.AuditRow | None) -> None:
        """Pack a task, make the file the place of its log, and clear its rows.

        Raises UnknownTask, TaskNotMovable, and the errors of `pack`.
        """
        file = StoredFile(self._places.for_new_files(), new_name(self._database.epoch))
        place = self._places.open(file.place)
        task, left = await self._write(lambda db: moving.begin(db, task_id, identity, self.holder, file))
        marked = False
        try:
            if left is not None:
                await self._delete(left)
            facts = await self._holding(task_id, lambda: pack(self._database.raw_rows, task_id, place, file.name))
            packed = PackedFile(
                *(facts.size, facts.digest, facts.events, facts.first_event_id, facts.last_event_id, facts.last_seq)
            )
            async with self._database.read() as view:
                line = (await view.last_lines([task_id])).get(task_id)
            marked = await self._write(lambda db: self._mark(db, task, packed, line, audit))
        except TaskChanged as error:
            raise TaskNotMovable(str(error)) from error
        finally:
            if not marked:
                await self.abandon(task_id, file)
        if not marked:
            raise TaskNotMovable(f"the task {task_id!r} changed while it was packed")
        await self.clear(task_id, file, facts.digest)

    def _mark(
        self, db: Database, task: Task, packed: PackedFile, line: str | None, audit: audits.AuditRow | None
    ) -> bool:
        if not moving.mark(db, task, self.holder, packed, line):
            return False
        if audit is not None:
            audits.add(db, audit, task.task_id, None)
        return True

    async def clear(self, task_id: str, file: StoredFile, digest: str) -> bool:
        """Remove the rows of a task whose log is in the file. Return False if another process took over.

        Raises ColdFileMissing or ColdFileDamaged before anything is removed if the file cannot be used.
        """
        opened = await asyncio.to_thread(ColdFile.open, self._places.open(file.place), file.name, digest)
        opened.close()
        more: bool | None = True
        while more:
            begun = time.monotonic()
            more = await self._write(lambda db: moving.clear(db, task_id, self.holder))
            await asyncio.sleep(rest_after(time.monotonic() - begun, REST))
        return more is not None and await self._write(lambda db: moving.finish(db, task_id, self.holder))

    async def _holding(self, task_id: str, work: Callable[[], Awaitable[T]]) -> T:
        """Await some work, and hold the task meanwhile."""

        async def hold_on() -> None:
            while True:
                await asyncio.sleep(HOLD_SECONDS / 3)
                with suppress(StoreError):
                    await self._write(lambda db: hold(db, task_id, self.holder, "packing"))

        holding = asyncio.create_task(hold_on(), name="signalbox-cold-hold")
        try:
            return await work()
        finally:
            await end_tasks(holding)

    async def abandon(self, task_id: str, file: StoredFile) -> None:
        """Delete a file unless it became the place of the log. If this fails, `afinish` does it later.

        A caller that was cancelled does not know whether its mark was committed, so the row decides.
        """
        with suppress(StoreError):
            if await self._write(lambda db: moving.abandon(db, task_id, file)):
                await self._delete(file)

    async def _delete(self, file: StoredFile) -> None:
        place = self._places.open(file.place)
        await asyncio.to_thread(place.delete, file.name)

    async def _write(self, work: Callable[[Database], T]) -> T:
        return await self._database.calls.write(work, STEP_WEIGHT)
