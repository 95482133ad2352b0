"""Wakes: hints that the log may have grown. They carry no data, so a lost one costs delay and never an event."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from store.contract import Store

SECOND_LOOK = 0.002
"""Seconds until a look that a file notification caused, and that found nothing, is repeated: the commit may become
visible just after its write."""


class Wake:
    """Something to wait on until the log may have grown: a commit of this process, a file notification, a poll."""

    def __init__(
        self, store: Store, *, poll_interval: float = 0.1, max_poll_interval: float = 2.0, backoff: float = 1.5
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self._shortest, self._longest, self._backoff = poll_interval, max_poll_interval, backoff
        self._pause = poll_interval
        self._file_moved = False
        self._stop_listening = store.on_commit(self._from_any_thread)
        wal = getattr(store, "wal_path", None)
        self._stop_watching = watch_file(wal, self._from_file) if wal else None

    async def wait(self) -> None:
        """Return at the next wake, or when the fallback poll is due (its pause grows while nothing happens)."""
        try:
            async with asyncio.timeout(self._pause):
                await self._event.wait()
        except TimeoutError:
            pass
        self._event.clear()

    def found(self, something: bool) -> None:
        """Tell whether the look after the last wake found something; it sets the pause of the fallback poll."""
        self._pause = self._shortest if something else min(self._pause * self._backoff, self._longest)
        if self._file_moved and not something:
            self._loop.call_later(SECOND_LOOK, self._event.set)
        self._file_moved = False

    def close(self) -> None:
        """Stop listening."""
        self._stop_listening()
        if self._stop_watching:
            self._stop_watching()

    def _from_any_thread(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)

    def _from_file(self) -> None:
        self._file_moved = True
        self._event.set()


def watch_file(path: Path, callback: Callable[[], None]) -> Callable[[], None] | None:
    """Call `callback` in the running loop whenever `path` is written to, by anybody. Returns how to stop.

    None where the system has no inotify or `path` cannot be watched: then the fallback poll is all there is.
    """
    if sys.platform != "linux":
        return None
    import inotify_simple

    try:
        watcher = inotify_simple.INotify()
    except OSError:
        return None
    try:
        watcher.add_watch(path, inotify_simple.flags.MODIFY)
    except OSError:
        watcher.close()
        return None
    loop = asyncio.get_running_loop()

    def readable() -> None:
        watcher.read(timeout=0)
        callback()

    def stop() -> None:
        loop.remove_reader(watcher.fileno())
        watcher.close()

    loop.add_reader(watcher.fileno(), readable)
    return stop
