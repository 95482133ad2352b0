"""A task that is deleted says nothing: its streams are ended by looking for it."""

from __future__ import annotations

import asyncio

from store import Store, StoreError
from webapp.live.channel import Channel

TICK = 1.0
"""Seconds between two looks, while there are commits."""


class Deletions:
    """Ends the streams of watched tasks that are gone, or whose name another task with a shorter log has now."""

    def __init__(self, store: Store, channels: dict[str, Channel]) -> None:
        self._store = store
        self._channels = channels
        self._committed = asyncio.Event()
        self._task = asyncio.create_task(self._watch(), name="signalbox-deletions")

    def hear(self) -> None:
        """There was a commit."""
        self._committed.set()

    def close(self) -> None:
        """Look no more."""
        self._task.cancel()

    async def _watch(self) -> None:
        while True:
            await self._committed.wait()
            self._committed.clear()
            # What anybody has must be noted before the store is asked: it may have more by the time of the answer.
            stood = {task_id: channel.position() for task_id, channel in self._channels.items()}
            if stood:
                try:
                    async with self._store.glance() as view:
                        self._end(stood, await view.latest_seqs(list(stood)))
                except StoreError:
                    self._committed.set()
            await asyncio.sleep(TICK)

    def _end(self, stood: dict[str, int], latest: dict[str, int]) -> None:
        for task_id, position in stood.items():
            if latest.get(task_id, -1) < position and task_id in self._channels:
                self._channels.pop(task_id).end()
