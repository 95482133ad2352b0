"""Watches for changes of tasks without an event: a task is deleted, archived, restored, marked stale, or erased."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from signalbox.store import Store
from signalbox.store.contract import Standing
from signalbox.store.loops import Loop
from signalbox.webapp.live.channel import Channel

TICK, MAX_TICK = 0.4, 2.0
"""Minimum and maximum seconds between two checks while there are commits."""

TICK_FACTOR = 20.0
"""In between, the pause is this many times as long as the check took: that of a thousand tasks takes 20 ms or more."""


class TaskChanges:
    """Ends the streams of a watched task that was deleted, or whose id belongs to another task now.

    Renders the pages of a watched task again after another such change. Calls `on_erasure` after an event of any task
    was erased, so that nothing in memory keeps its content.
    """

    def __init__(
        self, store: Store, channels: dict[str, Channel], loop: Loop, on_erasure: Callable[[], None] = lambda: None
    ) -> None:
        self._store = store
        self._on_erasure = on_erasure
        self._erasures: int | None = None
        self._channels = channels
        self._committed = asyncio.Event()
        self._task = asyncio.create_task(loop.run(self._watch), name="signalbox-task-changes")

    def on_commit(self) -> None:
        """Schedule a check, because there was a commit."""
        self._committed.set()

    def close(self) -> None:
        """Stop checking."""
        self._task.cancel()

    async def _watch(self) -> None:
        if self._erasures is None:
            async with self._store.glance() as view:
                self._erasures = await view.erasures()
        await self._committed.wait()
        self._committed.clear()
        began = time.perf_counter()
        # Take the positions before the read: streams may have newer events when it returns.
        positions = {task_id: channel.position() for task_id, channel in self._channels.items()}
        try:
            # Both in one state of the store: an erasure between two reads would be taken for an earlier one.
            async with self._store.read() if positions else self._store.glance() as view:
                erasures = await view.erasures()
                standings = await view.standings(list(positions)) if positions else {}
            self._end(positions, standings, erased=erasures != self._erasures)
            self._recheck_changed(standings)
            if erasures != self._erasures:
                self._erasures = erasures
                self._on_erasure()
        except Exception:
            self._committed.set()
            raise
        await asyncio.sleep(min(MAX_TICK, max(TICK, TICK_FACTOR * (time.perf_counter() - began))))

    def _end(self, positions: dict[str, int], standings: dict[str, Standing], *, erased: bool) -> None:
        for task_id, position in positions.items():
            standing = standings.get(task_id)
            channel = self._channels.get(task_id)
            gone = standing is None or standing.latest_seq < position
            if channel and (gone or (standing and channel.identity not in ("", standing.identity))):
                self._channels.pop(task_id).end()
            elif channel and standing and channel.erased_at != standing.erased_at:
                if erased:
                    # Its readers have the content of erased events. They load the task again.
                    self._channels.pop(task_id).end()
                else:
                    # The channel is new, and the events were erased before.
                    channel.erased_at = standing.erased_at

    def _recheck_changed(self, standings: dict[str, Standing]) -> None:
        for task_id, one in standings.items():
            channel, standing = self._channels.get(task_id), (one.flags, one.unfinished)
            if channel is None:
                continue
            channel.task.check(one)
            # A frame rendered since the last check may show a state that has changed back in between.
            passed = channel.take_shown_flags() - {one.flags}
            if channel.standing != standing or passed:
                channel.standing = standing
                channel.recheck()
