"""Moves tasks to cold storage in the background, in one of the processes on a store, the oldest tasks first."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from signalbox.store import Store, StoreError, StoreUnavailable, UnknownTask
from signalbox.store.cold.errors import ColdPlaceUnavailable
from signalbox.store.cold.reading import load_modules
from signalbox.store.contract import ColdCounts, MovableTask
from signalbox.store.errors import InvalidEvent, LeaseLost, StoreFull
from signalbox.store.leadership import Leadership
from signalbox.store.loops import Loops, end_tasks
from signalbox.store.retention import Retention
from signalbox.store.steady_clock import SteadyClock
from signalbox.webapp.views.text import plural

LEASE = "signalbox:cold"
"""The name of the lease that makes one process move tasks."""

PAGE = 100
"""Tasks that are read together."""

MOVES_PER_TURN = 20
"""Tasks that are moved before the rules are read again."""

BUSY_PAUSE, IDLE_PAUSE = 0.5, 60.0
"""Seconds between two turns while tasks wait to be moved, and otherwise."""

FIRST_PAUSE = 2.0
"""Seconds until the first turn, so that a start is not slowed down."""

CHECK_SECONDS = 600.0
"""Seconds between two looks for missing files, and for what killed processes left."""

FAILED_SECONDS = 3600.0
"""Seconds after which a task that could not be moved is tried again."""

log = structlog.get_logger("signalbox.cold")


class ColdMoves:
    """Moves the tasks that `rules()` chooses, finishes what killed processes left, and looks for missing files."""

    def __init__(
        self,
        store: Store,
        rules: Callable[[], Retention],
        loops: Loops,
        *,
        first_pause: float = FIRST_PAUSE,
        idle_pause: float = IDLE_PAUSE,
        clock: SteadyClock | None = None,
    ) -> None:
        self._store, self._rules, self._clock = store, rules, clock or SteadyClock()
        self.counts = ColdCounts(0, 0, 0)
        self.moved = self.failures = 0
        self.missing = 0
        self._fault: str | None = None
        self._failed: dict[tuple[str, str], float] = {}
        self._leadership = Leadership(store, LEASE)
        self._pause, self._idle_pause = first_pause, idle_pause
        self._checked = float("-inf")
        # The last tasks may have been deleted without their files, by a process that was killed.
        self._may_have_files = _may_have_files(store.cold.place)
        self._loop = loops.loop("cold_storage")
        self._task = asyncio.create_task(self._run(), name="signalbox-cold")

    @property
    def warnings(self) -> list[tuple[str, str]]:
        """Faults, as pairs of a code and a message that names no file, task or person."""
        found = []
        if self._fault is not None:
            found.append(("cold_storage_unavailable", self._fault))
        if self._failed:
            found.append(
                ("cold_moves_failed", f"{plural(len(self._failed), 'task')} could not be moved to cold storage")
            )
        if self.missing:
            found.append(("cold_files_missing", f"{plural(self.missing, 'file')} of cold storage cannot be found"))
        if damaged := self._store.cold.damaged_files:
            found.append(("cold_files_damaged", f"{plural(damaged, 'file')} of cold storage cannot be read"))
        return found

    async def stop(self) -> None:
        """Stop. A move that is cut off is finished later."""
        await end_tasks(self._task)

    async def _run(self) -> None:
        async with self._leadership:
            await self._loop.run(self._turn)

    async def _turn(self) -> None:
        await self._loop.rest(self._pause)
        self._pause = await self._work()

    async def _work(self) -> float:
        """Do what is due, and return the seconds until the next turn."""
        rules = self._rules()
        async with self._store.read() as view:
            self.counts = await view.cold_counts()
        self._may_have_files |= self.counts.tasks > 0
        if not self._may_have_files and rules.shortest_cold_after is None:
            self._fault, self.missing = None, 0
            await self._leadership.release()
            return self._idle_pause
        if self.counts.tasks:
            await asyncio.to_thread(load_modules)
        try:
            await self._check()
            if not self._leadership.held:
                await self._leadership.acquire(self._loop.record_success)
                self._checked = float("-inf")
            await self._finish()
            shortest = rules.shortest_cold_after
            more = shortest is not None and await self._move_oldest(rules, shortest)
            self._fault = None
            if more:
                return BUSY_PAUSE
        except LeaseLost:
            self._leadership.resign()
        except InvalidEvent as error:
            self._report(str(error))
        except StoreUnavailable as error:
            # The place or the database is away, or a disk is full: every other task would fail too.
            self._report(_public(error))
        return self._idle_pause

    async def _check(self) -> None:
        if not self.counts.tasks:
            self.missing = 0
        elif time.monotonic() - self._checked > CHECK_SECONDS:
            missing = await self._store.cold.amissing()
            if len(missing) > self.missing:
                log.error("files of cold storage are missing", tasks=[cold.task_id for cold in missing[:20]])
            self.missing = len(missing)

    async def _finish(self) -> None:
        was_last = self._may_have_files and not self.counts.tasks
        if self.counts.unfinished or was_last or time.monotonic() - self._checked > CHECK_SECONDS:
            try:
                finished = await self._store.cold.afinish()
                self._may_have_files = self.counts.tasks > 0
                if finished.tasks or finished.files:
                    log.info("moves were finished", tasks=finished.tasks[:20], files=finished.files[:20])
                if finished.failed:
                    log.error("moves and restores cannot be finished", errors=list(finished.failed.items())[:20])
            finally:
                self._checked = time.monotonic()

    async def _move_oldest(self, rules: Retention, shortest: float) -> bool:
        """Move some of the tasks that are old enough. Return whether more may be left."""
        now = self._clock.now() + timedelta(seconds=self._store.clock_offset)
        after, moved = ("", ""), 0
        self._failed = {task: until for task, until in self._failed.items() if until > time.monotonic()}
        while True:
            async with self._store.read() as view:
                page = await view.tasks_to_move((now - timedelta(days=shortest)).isoformat()[:19], after, PAGE)
            for task in page:
                if not _is_due(task, rules, now) or (task.task_id, task.identity) in self._failed:
                    continue
                if not self._leadership.held:
                    raise LeaseLost(LEASE)
                moved += await self._move(task)
                if moved >= MOVES_PER_TURN:
                    return True
            if len(page) < PAGE:
                return False
            after = (page[-1].active_at, page[-1].task_id)

    async def _move(self, task: MovableTask) -> bool:
        """Move one task. Its faults are reported and stop no other task."""
        try:
            await self._store.cold.amove(task.task_id, identity=task.identity)
        except (StoreUnavailable, InvalidEvent):
            raise
        except UnknownTask:
            return False
        except Exception as error:
            self.failures += 1
            self._failed[task.task_id, task.identity] = time.monotonic() + FAILED_SECONDS
            log.warning("a task could not be moved to cold storage", task_id=task.task_id, error=str(error))
            return False
        self.moved += 1
        return True

    def _report(self, fault: str) -> None:
        self.failures += 1
        if self._fault is None:
            log.warning("tasks cannot move to cold storage now", error=fault)
        self._fault = fault


def _may_have_files(place: str | None) -> bool:
    return place is not None and ("://" in place or Path(place).is_dir())


def _is_due(task: MovableTask, rules: Retention, now: datetime) -> bool:
    """Return whether the rules move a task now."""
    age = rules.cold_after(task.project_id, task.kind)
    return age is not None and task.active_at < (now - timedelta(days=age.days)).isoformat()[:19]


def _public(error: StoreError) -> str:
    """Return what went wrong without the name of a file or a directory."""
    if isinstance(error, StoreFull):
        return "there is no room for the files of cold storage"
    if isinstance(error, ColdPlaceUnavailable):
        return "the directory or the bucket of cold storage cannot be used"
    return "the store is not available"
