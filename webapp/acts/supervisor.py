"""The supervisor: marks runs that died or stopped reporting, closes permission requests that have expired, cancels runs
over their budget, and completes traces.

Every server process has one, but only the process that holds the lease `LEASE` reads and writes. It measures silence
from the moment when it took over, so a run that died is marked at most one `heartbeat_timeout` after that.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import structlog

from signalbox.store import NewEvent, Store, StoreError, StoreUnavailable, TaskQuery, UnknownTask
from signalbox.store.errors import LeaseLost
from signalbox.store.leadership import Leadership
from signalbox.store.loops import Loops, end_tasks, shared_pause
from signalbox.store.state import Status, Task
from signalbox.webapp.acts.trace_completion import TraceCompletion
from signalbox.webapp.prices.budget import Budgets
from signalbox.webapp.prices.price_table import Prices
from signalbox.webapp.settings import Settings
from signalbox.webapp.views.text import moment

LEASE = "signalbox:supervisor"
"""The name of the lease that makes one process supervise."""

MIN_STALE_SECONDS = 10.0
"""A run is never marked stale before this many seconds, however short its heartbeat interval."""

MIN_LATE_SECONDS = 0.5
"""Seconds of delay below which a round never counts as late. A late round marks no run."""

SUPERVISED: tuple[Status, ...] = ("running", "waiting")
"""The statuses of the tasks that can become silent."""

TASKS_PER_READ = 50
"""More tasks with long metadata would stop the server for over a tenth of a second while they are decoded."""

PERMISSIONS_PER_READ = 1000
"""Maximum number of permission requests in one read."""

_CLOCKS = tuple(
    getattr(time, name) for name in ("CLOCK_MONOTONIC", "CLOCK_BOOTTIME", "CLOCK_REALTIME") if hasattr(time, name)
)

log = structlog.get_logger("signalbox.supervisor")


class Late(Exception):
    """The supervisor did not run for a while or could not write, so it does not know whether runs were silent."""


class SilenceTimers:
    """Measures how long each run has been silent while the supervisor was running.

    The time starts when the supervisor first sees the run's newest event. It is measured on the monotonic clock, so a
    step of the wall clock makes no run silent. After a suspension, `reset` restarts the time of every run.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[int, float]] = {}
        self._present: dict[tuple[str, str], tuple[int, float]] = {}

    def silent_seconds(self, task: Task, now: float) -> float:
        """Return the seconds since the supervisor first saw the run's newest event."""
        run = task.task_id, task.identity
        seq, since = self._seen.get(run, (-1, now))
        if seq != task.latest_seq:
            since = now
        self._present[run] = task.latest_seq, since
        return now - since

    def end_round(self) -> None:
        """Drop the runs that this round did not see."""
        self._seen, self._present = self._present, {}

    def reset(self) -> None:
        """Restart the time of every run."""
        self._seen, self._present = {}, {}


class PauseDetector:
    """Detects that the process did not run for a while: it was stopped, the machine was suspended, or a call was slow.

    CLOCK_MONOTONIC stops while a machine is suspended; CLOCK_BOOTTIME (Linux) and the wall clock do not. A wall clock
    that is set forward looks like a suspension, which only delays the supervisor.
    """

    def __init__(self) -> None:
        self._last = self._now()

    def check(self, allowed: float) -> None:
        """Raise Late if more than `allowed` seconds have passed since the last check."""
        before, self._last = self._last, self._now()
        passed = [now - then for now, then in zip(self._last, before, strict=True)]
        if max(passed) > allowed or passed[0] < 0:
            raise Late(f"{max(passed):.1f} s passed where {allowed:.1f} s were allowed")

    @staticmethod
    def _now() -> list[float]:
        return [time.clock_gettime(clock) for clock in _CLOCKS] or [time.monotonic()]


class Supervisor:
    """Supervises all running tasks while this process holds the lease, which it claims only while there is work.

    A process that loses the lease without noticing, because it was stopped, writes nothing: every write has a fence.
    """

    def __init__(self, store: Store, settings: Settings, loops: Loops) -> None:
        self._store = store
        self._leadership = Leadership(store, LEASE)
        self._limit = settings.heartbeat_timeout
        self._stale_after = settings.stale_after
        self._prices, self._budgets = Prices(settings.prices), Budgets(settings.budgets)
        self._completion = TraceCompletion.of(settings)
        self._interval = min(5.0, self._limit / 4, self._stale_after / 4, self._completion.shortest / 4)
        self._slack = min(max(MIN_LATE_SECONDS, self._interval / 2), self._limit / 2)
        self._silence_timers = SilenceTimers()
        self._pause_detector = PauseDetector()
        self._warned: set[str] = set()
        self._loop = loops.loop("supervisor")
        self._task = asyncio.create_task(self._run(), name="signalbox-supervisor")

    @property
    def active(self) -> bool:
        """Whether this process supervises now, as far as it knows."""
        return self._leadership.held

    async def stop(self) -> None:
        """Stop supervising, so that another process may begin at once."""
        await end_tasks(self._task)

    async def _run(self) -> None:
        async with self._leadership:
            await self._loop.run(self._round)

    async def _round(self) -> None:
        pause = shared_pause(self._interval)
        await asyncio.sleep(pause)
        try:
            if not await self._has_work():
                await self._leadership.release()
                return
            if not self._leadership.held:
                await self._leadership.acquire(self._loop.record_success)
                self._silence_timers.reset()
                self._pause_detector = PauseDetector()
            self._pause_detector.check(max(pause, self._interval) + self._slack)
            await self._check_all()
        except Late as late:
            log.info("the supervisor was late; it restarts the silence timer of every run", reason=str(late))
            self._silence_timers.reset()
        except LeaseLost:
            log.info("another process supervises now")
            self._leadership.resign()
        except StoreError:
            self._silence_timers.reset()
            raise

    async def _has_work(self) -> bool:
        async with self._store.glance() as view:
            if (await view.tasks(TaskQuery(statuses=SUPERVISED, limit=1))).tasks:
                return True
            return bool(await view.expiring_permissions(("", ""), 1))

    async def _check_all(self) -> None:
        now = time.monotonic()
        before: str | None = None
        while True:
            async with self._store.read() as view:
                query = TaskQuery(statuses=SUPERVISED, before=before, limit=TASKS_PER_READ)
                page = await view.tasks(query)
            self._pause_detector.check(self._slack)
            for task in page.tasks:
                with self._isolate_errors(task.task_id):
                    await self._check_run(task, self._silence_timers.silent_seconds(task, now))
                self._pause_detector.check(self._slack)
            before = page.cursor
            if before is None:
                break
        self._silence_timers.end_round()
        after = ("", "")
        while True:
            async with self._store.read() as view:
                asked = await view.expiring_permissions(after, PERMISSIONS_PER_READ)
            self._pause_detector.check(self._slack)
            for task_id, request_id, seq, span_id, expires_at, identity in asked:
                if _has_expired(expires_at, datetime.now(UTC) + timedelta(seconds=self._store.clock_offset)):
                    with self._isolate_errors(task_id):
                        await self._expire(task_id, request_id, seq, span_id, identity)
                    self._pause_detector.check(self._slack)
            if len(asked) < PERMISSIONS_PER_READ:
                break
            after = asked[-1][:2]

    @contextlib.contextmanager
    def _isolate_errors(self, task_id: str) -> Iterator[None]:
        """Log an error of one task, so that it does not affect others. StoreUnavailable and LeaseLost affect all."""
        try:
            yield
        except (StoreUnavailable, LeaseLost):
            raise
        except Exception as error:
            if task_id not in self._warned:
                self._warned.add(task_id)
                log.warning("a task cannot be supervised", task_id=task_id, error=str(error))

    async def _check_run(self, task: Task, silent_seconds: float) -> None:
        if task.unreadable:
            return
        if not task.cancel_requested and (limit := self._budgets.cancelling(task, self._prices)):
            await self._cancel(task, f"budget of {limit} exceeded")
        if is_silent(task, silent_seconds, self._limit):
            await self._interrupt(task)
        elif completion := self._completion.event(task, silent_seconds):
            await self._complete(task, completion)
        elif is_stale(task, silent_seconds, self._stale_after):
            with contextlib.suppress(UnknownTask):
                await self._store.amark_stale(task.task_id, task.latest_seq, fence=self._leadership.fence)

    async def _interrupt(self, task: Task) -> None:
        asked = time.monotonic()

        def still_silent(now: Task) -> bool:
            # Events of the run may be waiting for the database just as this append is.
            same = now.identity == task.identity and now.latest_seq == task.latest_seq
            return same and time.monotonic() - asked <= self._slack

        event = NewEvent(
            event_type="status",
            actor="supervisor",
            key=f"signalbox:interrupted:{task.latest_seq}",
            payload={
                "status": "interrupted",
                "error_code": "no_heartbeat",
                "explanation": f"no heartbeat since {moment(task.updated_at)} UTC",
            },
        )
        with contextlib.suppress(UnknownTask):
            if await self._store.aappend_while(task.task_id, event, still_silent, fence=self._leadership.fence):
                log.info("a silent run was marked interrupted", task_id=task.task_id, since=task.updated_at)

    async def _complete(self, task: Task, event: NewEvent) -> None:
        def still_quiet(now: Task) -> bool:
            return now.identity == task.identity and now.latest_seq == task.latest_seq

        with contextlib.suppress(UnknownTask):
            await self._store.aappend_while(task.task_id, event, still_quiet, fence=self._leadership.fence)

    async def _cancel(self, task: Task, reason: str) -> None:
        event = NewEvent(
            event_type="cancel_requested",
            actor="supervisor",
            key=f"signalbox:budget:{task.spawn_seq}",
            payload={"reason": reason},
        )

        def still_running(now: Task) -> bool:
            return now.identity == task.identity and not now.ended and not now.cancel_requested

        with contextlib.suppress(UnknownTask):
            if await self._store.aappend_while(task.task_id, event, still_running, fence=self._leadership.fence):
                log.info("a run over its budget was asked to stop", task_id=task.task_id, reason=reason)

    async def _expire(self, task_id: str, request_id: str, seq: int, span_id: str, identity: str) -> None:
        event = NewEvent(
            event_type="permission_cleared",
            actor="supervisor",
            span_id=span_id,
            key=f"signalbox:expired:{seq}",
            payload={"request_id": request_id, "cause": "expired", "message": "no answer in time"},
        )

        def still_open(now: Task) -> bool:
            return now.identity == identity and now.permissions_open > 0

        with contextlib.suppress(UnknownTask):
            await self._store.aappend_while(task_id, event, still_open, fence=self._leadership.fence)


def is_silent(task: Task, silent_seconds: float, limit: float) -> bool:
    """Return whether a run that sends heartbeats counts as dead after `silent_seconds`."""
    return task.heartbeat_interval is not None and silent_seconds > max(limit, 3 * task.heartbeat_interval)


def is_stale(task: Task, silent_seconds: float, limit: float) -> bool:
    """Return whether a running task counts as stale: silent for `limit`, or for two heartbeat intervals."""
    promised = limit if task.heartbeat_interval is None else max(MIN_STALE_SECONDS, 2 * task.heartbeat_interval)
    return task.status == "running" and not task.stale and silent_seconds > min(limit, promised)


def _has_expired(moment: str, now: datetime) -> bool:
    try:
        expires = datetime.fromisoformat(moment)
    except ValueError:
        return False
    return (expires if expires.tzinfo else expires.replace(tzinfo=UTC)) <= now
