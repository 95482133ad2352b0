"""Samples the CPU and the memory of a command, and reports them with heartbeats of its run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from signalbox.webapp.process.process_tree import TreeUsage, usage_of_tree

INTERVAL_S = 5.0
FIRST_S = 1.0
"""Seconds until the first sample, so that short commands have one too."""

CPU_STEP, MEMORY_SHARE = 1.0, 0.01
"""A sample is reported if the CPU changed by this many per cent of a core, or the memory by this share."""


class ResourceSampler:
    """Reports samples of a process with its descendants until it is stopped.

    `report` gets the `resources` for the payload of a heartbeat. A sample that differs little from the last one is not
    reported, so that an idle run adds nothing to its log.
    """

    def __init__(self, pid: int, report: Callable[[dict[str, float]], None]) -> None:
        self._pid, self._report = pid, report
        self._reported: dict[str, float] | None = None
        self._task = asyncio.create_task(self._sample(), name="signalbox-resources")

    async def stop(self) -> None:
        """Stop sampling."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _sample(self) -> None:
        before, at = await usage_of_tree(self._pid), time.monotonic()
        pause = FIRST_S
        while True:
            await asyncio.sleep(pause)
            pause = INTERVAL_S
            usage, now = await usage_of_tree(self._pid), time.monotonic()
            if usage.processes:
                self._report_change(resources(before, usage, now - at))
            before, at = usage, now

    def _report_change(self, sample: dict[str, float]) -> None:
        last = self._reported
        if (
            last is None
            or abs(sample["cpu"] - last["cpu"]) >= CPU_STEP
            or abs(sample["memory"] - last["memory"]) >= MEMORY_SHARE * last["memory"]
            or sample["processes"] != last["processes"]
        ):
            self._reported = sample
            self._report(sample)


def resources(before: TreeUsage, usage: TreeUsage, elapsed: float) -> dict[str, float]:
    """Return the payload for a sample `elapsed` seconds after another one. `cpu` is in per cent of one core."""
    # The CPU time of a descendant that nobody waited for is lost.
    cpu = max(0.0, usage.cpu_s - before.cpu_s) / elapsed if elapsed > 0 else 0.0
    return {"cpu": round(100 * cpu, 1), "memory": usage.memory, "processes": usage.processes}
