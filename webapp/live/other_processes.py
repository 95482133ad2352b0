"""The other web processes on the same store: this process shares its numbers of streams with them, and knows theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from signalbox.store import Event, Store, StoreError
from signalbox.store.contract.processes import LIFETIME, CountKey
from signalbox.store.events import new_id
from signalbox.store.loops import Loop, end_tasks, shared_pause

STREAMS: CountKey = ("streams", "")
"""The key of the number of open streams."""

CALLER, SESSION = "caller", "session"
"""The kinds of counts: the streams of one caller, and the streams of one session."""

POLL_INTERVAL = 1.0
"""Seconds until the other processes are looked up without a hint that one of them has reported."""

REPORT_INTERVAL = 1.0
"""Minimum seconds between two reports of changed counts."""

ALIVE_INTERVAL = LIFETIME / 3
"""Seconds after which a process reports although nothing has changed."""

SETTLE_TIME = 0.1
"""Seconds to wait after a hint or a change, so that changes at about the same time share one report or one read."""

REMOVE_TIMEOUT = 2.0
"""Seconds that a process which stops waits for its removal."""


class OtherProcesses:
    """Reports `own_counts()` and reads the counts of the other processes, in the background.

    A process that is alone on its store writes once, when it starts. It notices within a second that another one has
    started, and reports from then on: at most once a second, and only if a count has changed or a third of `LIFETIME`
    has passed. When the last other process is gone, it reports once more.
    """

    def __init__(self, store: Store, own_counts: Callable[[], Mapping[CountKey, int]], loop: Loop) -> None:
        self.process_id = new_id()
        self.number = 0
        self._processes = store.processes
        self._counts: Mapping[CountKey, int] = {}
        self._kinds: tuple[str, ...] = (CALLER, STREAMS[0])
        self._shared: list[Callable[[], Mapping[CountKey, int]]] = [own_counts]
        self._reported: dict[CountKey, int] | None = None
        self._changed = False
        self._now = asyncio.get_running_loop().time
        self._reported_at = -LIFETIME
        self._woken = asyncio.Event()
        self._woken.set()
        self._watch = self._processes.watch(self._woken.set)
        self._task = asyncio.create_task(loop.run(self._turn), name="signalbox-other-processes")

    def share(self, kinds: tuple[str, ...], counts: Callable[[], Mapping[CountKey, int]]) -> None:
        """Also share the counts of these kinds, which `counts` returns."""
        self._kinds += kinds
        self._shared.append(counts)

    def count(self, key: CountKey) -> int:
        """Return a count of the other processes, as of about a second ago. Never waits."""
        return self._counts.get(key, 0)

    async def session_streams(self, session_id: str) -> int:
        """Return how many streams of a session the other processes have. Raises StoreUnavailable."""
        return await self._processes.count_of_others(self.process_id, (SESSION, session_id)) if self.number else 0

    def changed(self) -> None:
        """Record that a count of this process may have changed."""
        if not self._changed:
            self._changed = True
            if self.number:
                self._woken.set()

    def on_commit(self, events: Sequence[Event]) -> None:
        """Handle a commit with these events. One without events may be a report of another process."""
        if not events:
            self._woken.set()

    def forget(self) -> None:
        """Report everything again, because the store has another history now."""
        self._reported = None
        self._woken.set()

    async def stop(self) -> None:
        """Stop reporting, and remove this process from the store."""
        if self._watch is not None:
            self._watch.close()
        await end_tasks(self._task)
        with suppress(StoreError, TimeoutError):
            async with asyncio.timeout(REMOVE_TIMEOUT):
                await self._processes.remove(self.process_id)

    async def _turn(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(shared_pause(self._pause())):
                await self._woken.wait()
                await asyncio.sleep(SETTLE_TIME if self._reported is not None else 0)
        self._woken.clear()
        try:
            found = await self._processes.others(self.process_id, self._kinds)
            if self.number and not found.processes:
                # If the processes were suspended, each may find the report of the other outdated. Report once more, so
                # that not both wait for the other.
                self._reported = None
            self.number, self._counts = found.processes, found.counts
            if self._is_due():
                await self._report()
        except Exception:
            # The report may or may not be stored.
            self._reported = None
            raise

    def _pause(self) -> float:
        """Return the seconds until the next turn without a hint."""
        if not (self.number and self._changed):
            return POLL_INTERVAL
        return min(POLL_INTERVAL, max(0.0, self._reported_at + REPORT_INTERVAL - self._now()))

    def _is_due(self) -> bool:
        passed = self._now() - self._reported_at
        if self._reported is None:
            return True
        return self.number > 0 and (passed >= ALIVE_INTERVAL or (self._changed and passed >= REPORT_INTERVAL))

    async def _report(self) -> None:
        now, self._changed = self._now(), False
        # Another process may have deleted the row of a process that was suspended or alone.
        before = self._reported if now - self._reported_at < LIFETIME else None
        counts = {key: count for shared in self._shared for key, count in shared().items() if count}
        known = before or {}
        changes = {key: count for key, count in counts.items() if known.get(key) != count}
        changes |= {key: 0 for key in known if key not in counts}
        await self._processes.report(self.process_id, changes, complete=before is None)
        self._reported, self._reported_at = counts, now
