"""The supervisor: notices runs that died or fell silent, and questions that nobody answered in time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime

import structlog

from store import NewEvent, Store, StoreError, StoreUnavailable, TaskQuery, UnknownTask
from store.state import Permission, Task
from webapp.settings import Settings

OVERDUE = 10.0
"""Seconds of silence that no promise of heartbeats, however frequent, makes a run stale before."""

log = structlog.get_logger("signalbox.supervisor")


class Supervisor:
    """Looks after all running tasks. Several web processes may: idempotency keys let only one event be written."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._limit = settings.heartbeat_timeout
        self._stale_after = settings.stale_after
        self._task = asyncio.create_task(self._look_after(), name="signalbox-supervisor")

    async def stop(self) -> None:
        """Stop looking."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(min(5.0, self._limit / 4, self._stale_after / 4))
            try:
                await self._look()
            except StoreError as error:
                log.warning("the store does not answer", error=str(error))

    async def _look(self) -> None:
        now = datetime.now(UTC)
        before: str | None = None
        while True:
            async with self._store.read() as view:
                query = TaskQuery(statuses=("running", "waiting"), before=before, limit=200)
                page = await view.tasks(query)
            for task in page.tasks:
                with _alone(task):
                    if task.unreadable:
                        continue
                    if _silent(task, now, self._limit):
                        await self._interrupt(task)
                    elif is_stale(task, now, self._stale_after):
                        await self._mark_stale(task)
            before = page.cursor
            if before is None:
                break
        async with self._store.read() as view:
            asked = await view.open_permissions(1000)
        for task, permission in asked:
            with _alone(task):
                if permission.expires_at and not task.unreadable and _past(permission.expires_at, now):
                    await self._expire(task, permission)

    async def _interrupt(self, task: Task) -> None:
        log.info("a run is silent", task_id=task.task_id, since=task.updated_at)
        await self._store.aappend(
            task.task_id,
            NewEvent(
                event_type="status",
                actor="supervisor",
                key=f"signalbox:interrupted:{task.latest_seq}",
                payload={
                    "status": "interrupted",
                    "error_code": "no_heartbeat",
                    "explanation": f"no sign of life since {task.updated_at}",
                },
            ),
        )

    async def _mark_stale(self, task: Task) -> None:
        with contextlib.suppress(UnknownTask):
            await self._store.amark_stale(task.task_id, task.latest_seq)

    async def _expire(self, task: Task, permission: Permission) -> None:
        await self._store.aappend(
            task.task_id,
            NewEvent(
                event_type="permission_cleared",
                actor="supervisor",
                span_id=permission.span_id,
                key=f"signalbox:expired:{permission.seq}",
                payload={"request_id": permission.request_id, "cause": "expired", "message": "nobody answered in time"},
            ),
        )


@contextlib.contextmanager
def _alone(task: Task) -> Iterator[None]:
    """Let a task that cannot be looked after affect no other. A store that does not answer concerns them all."""
    try:
        yield
    except StoreUnavailable:
        raise
    except Exception as error:
        log.warning("a task cannot be looked after", task_id=task.task_id, error=str(error))


def _silent(task: Task, now: datetime, limit: float) -> bool:
    if task.heartbeat_interval is None:
        return False
    return _silence(task, now) > max(limit, 3 * task.heartbeat_interval)


def is_stale(task: Task, now: datetime, limit: float) -> bool:
    """Whether a running run is silent for too long; one that promised heartbeats, if one did not come."""
    promised = limit if task.heartbeat_interval is None else max(OVERDUE, 2 * task.heartbeat_interval)
    return task.status == "running" and not task.stale and _silence(task, now) > min(limit, promised)


def _silence(task: Task, now: datetime) -> float:
    return (now - datetime.fromisoformat(task.updated_at)).total_seconds()


def _past(moment: str, now: datetime) -> bool:
    try:
        expires = datetime.fromisoformat(moment)
    except ValueError:
        return False
    return (expires if expires.tzinfo else expires.replace(tzinfo=UTC)) <= now
