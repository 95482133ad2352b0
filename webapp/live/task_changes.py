"""What happens to a watched task beside its log: it is deleted, archived or brought back, it goes stale."""

from __future__ import annotations

import asyncio

from signalbox.store import Store
from signalbox.store.contract import Standing
from signalbox.store.loops import Loop
from signalbox.webapp.live.channel import Channel

TICK = 0.4
"""Seconds between two looks, while there are commits."""


class BesideTheLog:
    """Ends the streams of watched tasks that are gone, or whose id another task has now.

    Where what is kept beside the log has changed, the pages are drawn again.
    """

    def __init__(self, store: Store, channels: dict[str, Channel], loop: Loop) -> None:
        self._store = store
        self._channels = channels
        self._committed = asyncio.Event()
        self._task = asyncio.create_task(loop.run(self._watch), name="signalbox-beside-the-log")

    def hear(self) -> None:
        """There was a commit."""
        self._committed.set()

    def close(self) -> None:
        """Look no more."""
        self._task.cancel()

    async def _watch(self) -> None:
        await self._committed.wait()
        self._committed.clear()
        # What anybody has must be noted before the store is asked: it may have more by the time of the answer.
        stood = {task_id: channel.position() for task_id, channel in self._channels.items()}
        try:
            if stood:
                async with self._store.glance() as view:
                    standings = await view.standings(list(stood))
                self._end(stood, standings)
                self._draw_again(standings)
        except Exception:
            self._committed.set()
            raise
        await asyncio.sleep(TICK)

    def _end(self, stood: dict[str, int], standings: dict[str, Standing]) -> None:
        for task_id, position in stood.items():
            standing = standings.get(task_id)
            channel = self._channels.get(task_id)
            gone = standing is None or standing.latest_seq < position
            if channel and (gone or (standing and channel.identity not in ("", standing.identity))):
                self._channels.pop(task_id).end()

    def _draw_again(self, standings: dict[str, Standing]) -> None:
        for task_id, one in standings.items():
            channel, standing = self._channels.get(task_id), (one.archived, one.stale, one.unfinished)
            # Of a page that was drawn since the last look nobody knows what it shows.
            if channel and channel.standing != standing:
                channel.standing = standing
                channel.recheck()
