"""The cold storage of one store: moves, restores, and what killed processes left."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from signalbox.store.cold.errors import ColdFileMissing
from signalbox.store.cold.found_damage import FoundDamage
from signalbox.store.cold.moves.places import ColdPlaces, belongs_to
from signalbox.store.cold.places import ColdPlace
from signalbox.store.contract import ColdTask, Who
from signalbox.store.contract.cold import ColdStorage, FinishedMoves
from signalbox.store.errors import Conflict, StoreDamaged, StoreError, StoreUnavailable, UnknownTask
from signalbox.store.events import new_id
from signalbox.store.sql import audits
from signalbox.store.sql.cold_tasks import stages
from signalbox.store.sql.cold_tasks.stages import StoredFile
from signalbox.store.sql.database import Database

if TYPE_CHECKING:
    from signalbox.store.cold.moves.database import ColdDatabase
    from signalbox.store.cold.moves.move import Move
    from signalbox.store.cold.moves.restore import Restore

PATIENCE_S = 10.0
"""Seconds for which an append waits until its task is restored. Then its caller has to try again."""

MAX_RETRY_AFTER_S = 60.0

INTERRUPTED_PER_READ = 100
TASKS_PER_READ = 1000

T = TypeVar("T")


class ColdMover(ColdStorage):
    """Implements `ColdStorage` for a store in a database."""

    def __init__(self, database: ColdDatabase, places: ColdPlaces, found_damage: FoundDamage) -> None:
        self._database = database
        self._places, self._found_damage = places, found_damage
        self._process = 0
        self._closed = False
        self._begin_process()

    def _begin_process(self) -> None:
        """A forked process has none of its parent's threads."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self._restores: dict[str, tuple[Restore, Future[bool], threading.Thread]] = {}
            self._lock = threading.Lock()

    @property
    def place(self) -> str | None:
        return self._places.url

    @property
    def damaged_files(self) -> int:
        return self._found_damage.count()

    @property
    def places(self) -> ColdPlaces:
        """The places of the files."""
        return self._places

    # moving

    async def amove(
        self, task_id: str, *, identity: str | None = None, actor: str | Who | None = None, source: str | None = None
    ) -> ColdTask:
        self._begin_process()
        audit = audits.checked(actor, "task_moved_to_cold_storage", source, None) if actor is not None else None
        from signalbox.store.cold.moves.move import Move  # most programs move no task, and it takes long to load

        await Move(self._database, self._places).run(task_id, identity, audit)
        async with self._database.read() as view:
            found = await view.cold_task(task_id)
        if found is None:
            raise Conflict(f"the task {task_id!r} was restored or deleted at once")
        return found

    # restoring

    async def arestore(
        self, task_id: str, *, identity: str | None = None, actor: str | Who | None = None, source: str | None = None
    ) -> bool:
        audit = audits.checked(actor, "task_restored_from_cold_storage", source, None) if actor is not None else None
        future = self._restoring(task_id, identity, audit)[1]
        return await asyncio.shield(asyncio.wrap_future(future))

    async def abring_back(self, task_id: str, *, blocks: bool) -> None:
        """Restore a task for a writer that waits, for at most `PATIENCE_S`. With `blocks` there is no event loop.

        The restore continues in the background. Raises StoreUnavailable when the time is over.
        """
        restore, future, _ = self._restoring(task_id, None, None)
        try:
            if blocks:
                future.result(PATIENCE_S)
            else:
                async with asyncio.timeout(PATIENCE_S):
                    await asyncio.shield(asyncio.wrap_future(future))
        except TimeoutError:
            left = PATIENCE_S * (restore.total - restore.done) / max(1, restore.done)
            raise StoreUnavailable(
                f"the task {task_id!r} is being brought back from cold storage:"
                f" {restore.done:,} of {restore.total:,} events are in the database",
                min(MAX_RETRY_AFTER_S, max(1.0, round(left))),
            ) from None

    def _restoring(
        self, task_id: str, identity: str | None, audit: audits.AuditRow | None
    ) -> tuple[Restore, Future[bool], threading.Thread]:
        """Return the restore of a task that runs in this process. It is begun unless it runs already."""
        from signalbox.store.cold.moves.restore import Restore

        self._begin_process()
        with self._lock:
            running = self._restores.get(task_id)
            if running is not None:
                return running
            future: Future[bool] = Future()
            # Another holder than the moves of this process: a restore takes a task from them.
            restore = Restore(self._database, self._places, new_id(), lambda: self._closed)

            def work() -> None:
                try:
                    result: bool | BaseException = restore.run(task_id, identity, audit)
                except BaseException as error:
                    result = error
                with self._lock:
                    self._restores.pop(task_id, None)
                if isinstance(result, BaseException):
                    restore.let_go()
                    future.set_exception(result)
                else:
                    future.set_result(result)

            # A daemon: a program that ends need not wait, because another process or the next start continues.
            thread = threading.Thread(target=work, name="signalbox-restore", daemon=True)
            begun = self._restores[task_id] = restore, future, thread
            thread.start()
            return begun

    # files

    async def averify(self, task_id: str) -> ColdTask:
        async with self._database.read() as view:
            await view.head(task_id)  # raises UnknownTask
            found = await view.cold_task(task_id)
        from signalbox.store.cold.verify import verify

        if found is None:
            raise Conflict(f"the log of the task {task_id!r} is in the database, not in cold storage")
        await asyncio.to_thread(verify, self._places.open(found.place), found.name, found.sha256)
        return found

    async def amissing(self) -> list[ColdTask]:
        missing: list[ColdTask] = []
        names: dict[str, set[str]] = {}
        after = ""
        while True:
            async with self._database.read() as view:
                page = await view.cold_tasks(after, TASKS_PER_READ)
            for cold in page:
                if cold.place not in names:
                    names[cold.place] = set(await asyncio.to_thread(_names, self._places.open(cold.place)))
                if cold.name not in names[cold.place] and await self._is_still_cold(cold):
                    missing.append(cold)
            if len(page) < TASKS_PER_READ:
                return missing
            after = page[-1].task_id

    async def _is_still_cold(self, cold: ColdTask) -> bool:
        """Return whether a task still has this file, which may be newer than the list of names."""
        try:
            await asyncio.to_thread(self._places.open(cold.place).size, cold.name)
        except ColdFileMissing:
            async with self._database.read() as view:
                now = await view.cold_task(cold.task_id)
            return now is not None and now.name == cold.name
        return False

    def delete_file(self, file: StoredFile) -> None:
        """Delete the file of a task that was deleted. If this fails, `afinish` does it later. Raises nothing."""
        if belongs_to(file.name, self._database.epoch):
            with suppress(StoreError):
                self._places.open(file.place).delete(file.name)

    async def afinish(self) -> FinishedMoves:
        from signalbox.store.cold.moves.move import Move
        from signalbox.store.cold.temporary import remove_abandoned

        self._begin_process()
        await asyncio.to_thread(remove_abandoned)
        tasks, failed = [], {}
        move = Move(self._database, self._places)
        for task_id, stage in await self._write(lambda db: stages.interrupted(db, INTERRUPTED_PER_READ)):
            try:
                if await self._finish(move, task_id, stage):
                    tasks.append(task_id)
            except StoreDamaged as error:
                failed[task_id] = str(error)
        return FinishedMoves(tasks, await self._delete_unnamed(), failed)

    async def _finish(self, move: Move, task_id: str, stage: str) -> bool:
        """Finish the move or the restore of one task. Return False if that is not needed any more."""
        if stage == "restoring":
            with suppress(UnknownTask):
                await self.arestore(task_id)
                return True
            return False
        cold = await self._write(partial(stages.take, task_id=task_id, holder=move.holder, stage=stage))
        if cold is None:
            return False
        file = StoredFile(cold.place, cold.name)
        if stage == "clearing":
            return await move.clear(task_id, file, cold.sha256)
        await move.abandon(task_id, file)
        return True

    async def _delete_unnamed(self) -> list[str]:
        """Delete the files of this store to which no task refers."""
        deleted = []
        named = await self._write(stages.places_of)
        for place in named | ({self._places.chosen} if self._places.chosen is not None else set()):
            opened = self._places.open(place)
            # The names are listed first: the row of a task is there before its file.
            names = await asyncio.to_thread(_names, opened)
            own = [name for name in names if belongs_to(name, self._database.epoch)]
            known = await self._write(partial(stages.named_files, place=place)) if own else set()
            for name in own:
                if name not in known:
                    await asyncio.to_thread(opened.delete, name)
                    deleted.append(name)
        return deleted

    def close(self) -> None:
        self._closed = True
        if self._process == os.getpid():
            for _, _, thread in list(self._restores.values()):
                thread.join(1.0)

    async def _write(self, work: Callable[[Database], T]) -> T:
        return await self._database.calls.write(work)


def _names(place: ColdPlace) -> list[str]:
    return list(place.names())
