"""The worker of retention: in one process at a time, it measures tasks, applies the rules and returns free space.

Every server process has one. It looks for work with reads only, and claims the lease `LEASE` when there is some. All
processes report the state that the last pass stored.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from signalbox.store import Store
from signalbox.store.leadership import Leadership
from signalbox.store.loops import Loops, end_tasks
from signalbox.store.retention import RetentionFile
from signalbox.store.retention.samples import SpaceSample, sample_of
from signalbox.store.steady_clock import SteadyClock
from signalbox.webapp.http.health import Problem
from signalbox.webapp.retention.applying import apply_rules, is_any_due
from signalbox.webapp.retention.measuring import measure
from signalbox.webapp.retention.state import MAX_FAILED, RetentionState, state_of

LEASE = "signalbox:retention"

TICK = 5.0
"""Seconds between two looks for rows of deleted tasks."""

PASS_INTERVAL = 60.0
"""Seconds between two passes over all tasks."""

STEP_SECONDS = 20.0
"""Seconds for which one part of a pass works, before the others get their turn."""

SAMPLE_AGE = timedelta(hours=1)
"""The age from which on the sample of the day is replaced."""


class RetentionWorker:
    """Applies `rules` to a store. `clock` is the present time of this machine."""

    def __init__(self, store: Store, rules: RetentionFile, loops: Loops, *, clock: SteadyClock | None = None) -> None:
        self._store = store
        self.rules = rules
        self._clock = clock or SteadyClock()
        self._leadership = Leadership(store, LEASE)
        self._loop = loops.loop("retention")
        self._next_pass = 0.0
        self._seen_event = -1
        self._sampled: str | None = None
        self.state = RetentionState()
        self.removals = 0
        self._task = asyncio.create_task(self._run(), name="signalbox-retention")

    async def stop(self) -> None:
        """Stop, so that another process may begin at once."""
        await end_tasks(self._task)

    def problems(self) -> list[Problem]:
        """Return the present faults as warnings for health."""
        found = self.state.problems()
        if self.rules.problem:
            message = "the retention rules cannot be read, so the last good ones stay in force"
            found.insert(0, Problem("retention_rules_invalid", message))
        if self._clock.step:
            hours = self._clock.step.total_seconds() / 3600
            step = f"the clock of this machine stepped forward by {hours:,.1f} h"
            message = f"{step}; nothing is deleted or moved to cold storage because of it yet"
            found.insert(0, Problem("retention_clock_stepped", message))
        return found

    async def _run(self) -> None:
        async with self._leadership:
            await self._loop.run(self._turn)

    async def _turn(self) -> None:
        await self._loop.rest(TICK)
        await self._read_state()
        passing = time.monotonic() >= self._next_pass and await self._is_pass_needed()
        if not (passing or self.removals):
            return
        await self._leadership.acquire(self._loop.record_success)
        try:
            if passing:
                # Another process may have made a pass and stored its state meanwhile.
                await self._read_state()
                await self.run_pass()
            await self.clear()
        finally:
            await self._leadership.release()

    async def _read_state(self) -> None:
        async with self._store.read() as view:
            self.removals = await view.removals()
            self.state = state_of(await view.retention_state())

    async def _is_pass_needed(self) -> bool:
        """Return whether the log has grown, a rule names a task, or the day has no sample yet."""
        async with self._store.glance() as view:
            newest = await view.latest_event_id()
        now = self._now()
        if newest != self._seen_event or self._sampled != now.date().isoformat():
            return True
        if await is_any_due(self._store, self.rules.rules, now):
            return True
        self._next_pass = time.monotonic() + PASS_INTERVAL
        return False

    def _now(self) -> datetime:
        return self._clock.now() + timedelta(seconds=self._store.clock_offset)

    async def run_pass(self) -> None:
        """Measure the tasks that have changed, apply the rules, and store the state."""
        now = self._now()
        at = now.isoformat(timespec="microseconds").replace("+00:00", "Z")
        measured = await measure(self._store, at, seconds=STEP_SECONDS)
        outcome = await apply_rules(self._store, self.rules.rules, now, seconds=STEP_SECONDS)
        before = self.state
        self.state = RetentionState(
            at=at,
            waiting=outcome.waiting,
            deleted=before.deleted + outcome.deleted,
            failed=dict(list(outcome.failed.items())[:MAX_FAILED]),
            exceeded=outcome.exceeded,
        )
        if msgspec.structs.replace(self.state, at="") != msgspec.structs.replace(before, at="") or outcome.deleted:
            await self._store.space.record_state(msgspec.json.encode(self.state).decode())
        await self._sample(now)
        async with self._store.glance() as view:
            self._seen_event = await view.latest_event_id()
        if measured and not outcome.waiting:
            self._next_pass = time.monotonic() + PASS_INTERVAL

    async def clear(self) -> None:
        """Remove the rows of deleted tasks, and return free pages to the file system."""
        await self._store.aremove_deleted(seconds=STEP_SECONDS)
        until = time.monotonic() + STEP_SECONDS
        while time.monotonic() < until:
            begun = time.monotonic()
            if not await self._store.space.return_pages():
                break
            await asyncio.sleep(3 * (time.monotonic() - begun))

    async def _sample(self, now: datetime) -> None:
        async with self._store.read() as view:
            samples = await view.space_samples()
            last = sample_of(samples[-1][1]) if samples else None
            if last is not None and samples[-1][0] == now.date().isoformat() and now - last.time < SAMPLE_AGE:
                self._sampled = samples[-1][0]
                return
            database, kinds = await view.database_space(), await view.space_by_kind()
        sample = SpaceSample(
            at=now.isoformat(),
            database=database.bytes - database.free,
            cold=sum(one.cold_bytes for one in kinds),
            tasks=sum(one.tasks for one in kinds),
        )
        self._sampled = now.date().isoformat()
        await self._store.space.record_sample(self._sampled, msgspec.json.encode(sample).decode())


class RetentionMetrics(Collector):
    """The metrics of retention."""

    def __init__(self, worker: RetentionWorker) -> None:
        self._worker = worker

    def collect(self) -> Iterable[Metric]:
        """Yield the numbers of deleted, waiting and failed tasks."""
        state = self._worker.state
        gauges = {
            "retention_waiting": ("Runs that wait to be deleted by a rule.", state.waiting),
            "retention_failed": ("Runs whose deletion by a rule failed.", len(state.failed)),
            "retention_removals": ("Deleted runs of which rows are left.", self._worker.removals),
        }
        for name, (text, value) in gauges.items():
            yield GaugeMetricFamily(f"signalbox_{name}", text, value=value)
        yield CounterMetricFamily("signalbox_retention_deleted", "Runs deleted by rules.", value=state.deleted)
