"""Ends retries that no process starts: their server was killed between creating the task and starting its command."""

from __future__ import annotations

import asyncio

import structlog

from signalbox.store import Store, TaskQuery, UnknownTask
from signalbox.store.contract import Reading
from signalbox.store.loops import Loops, end_tasks
from signalbox.store.state import Task
from signalbox.webapp.process.detached_run import mark_not_started
from signalbox.webapp.views.retries import origin_of

PAUSE = 120.0
"""Seconds between two looks. A retry that is queued at both looks is not being started."""

NEWEST = 200
"""Queued tasks that one look reads, the newest first."""

MESSAGE = "the server ended before it started the command"

log = structlog.get_logger("signalbox.retries")


class UnstartedRetries:
    """Looks for such retries in the background. Tasks that other programs queue stay as they are."""

    def __init__(self, store: Store, loops: Loops) -> None:
        self._store = store
        self._seen: set[tuple[str, str]] = set()
        self._loop = loops.loop("retries")
        self._task = asyncio.create_task(self._loop.run(self._turn), name="signalbox-retries")

    async def stop(self) -> None:
        """Stop looking."""
        await end_tasks(self._task)

    async def _turn(self) -> None:
        await self._loop.rest(PAUSE)
        await self.look()

    async def look(self) -> None:
        """Look once. Ends the retries that an earlier look found too."""
        async with self._store.read() as view:
            queued = (await view.tasks(TaskQuery(statuses=("queued",), limit=NEWEST))).tasks
            retries = {(task.task_id, task.identity): task for task in queued if await _is_of_a_server(view, task)}
        for task in [task for key, task in retries.items() if key in self._seen]:
            log.warning("a retry was never started", task_id=task.task_id)
            await mark_not_started(self._store, task, MESSAGE)
        self._seen = set(retries)


async def _is_of_a_server(view: Reading, task: Task) -> bool:
    """Return whether a server created this queued task for a request that the first run's log has."""
    origin = origin_of(task)
    if origin is None:
        return False
    try:
        return task.task_id in (await view.task(origin.task_id)).retries
    except UnknownTask:
        return False
