"""Wakes: hints that the log may have grown. They carry no data, so a lost wake delays events but never loses one."""

from __future__ import annotations

import asyncio
import contextlib
import math

from signalbox.store.contract import Store, Watch
from signalbox.store.loops import shared_pause

REREAD_DELAY = 0.002
"""Seconds until the log is read again after a watch reported a commit and the read found nothing.

A commit may become visible just after the watch reports it.
"""


ALONE_AFTER, POLL_ALONE = 60.0, 1.0
"""After so many seconds without a sign of another process, the first poll comes after at least `POLL_ALONE` seconds."""


class Wake:
    """Waits until the log may have grown: after a commit of this process, a call of the store's watch, or a poll.

    A watch may miss a commit, and some file systems report none, so polls are frequent while other processes write.
    """

    def __init__(
        self, store: Store, *, poll_interval: float = 0.1, max_poll_interval: float = 2.0, backoff: float = 1.5
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self._poll_interval, self._max_poll_interval, self._backoff = poll_interval, max_poll_interval, backoff
        self._pause = poll_interval
        self._from_watch = False
        self._hinted, self._was_hinted = False, True
        self._others_wrote_at = -math.inf
        self._store = store
        self._stop_listening = store.on_commit(self._from_any_thread)
        self._watch: Watch | None = None
        self.watch_again()

    async def wait(self) -> None:
        """Return at the next wake, or when the poll is due. The poll's interval grows while nothing happens."""
        poll = self._loop.call_later(shared_pause(self._pause), self._event.set)
        try:
            await self._event.wait()
        finally:
            poll.cancel()
        self._event.clear()
        self._was_hinted, self._hinted = self._hinted, False

    async def pause(self, seconds: float) -> None:
        """Ignore wakes for `seconds`. A read after that sees all commits that happened meanwhile."""
        if self._watch:
            self._watch.ignore()
        await asyncio.sleep(seconds)
        if self._watch:
            self._watch.listen()
        self._event.clear()

    def nudge(self) -> None:
        """End `wait()`. Call it in the loop's own thread."""
        self._hinted = True
        self._event.set()

    def record_read(self, *, found_events: bool) -> None:
        """Record whether the read after the last wake found events, which sets the interval of the next poll."""
        if found_events:
            if not self._was_hinted:
                self._others_wrote_at = self._loop.time()
            alone = self._watch is not None and self._loop.time() > self._others_wrote_at + ALONE_AFTER
            self._pause = max(self._poll_interval, min(POLL_ALONE, self._max_poll_interval) if alone else 0.0)
        else:
            self._pause = min(self._pause * self._backoff, self._max_poll_interval)
        if self._from_watch and not found_events:
            self._loop.call_later(REREAD_DELAY, self.nudge)
        self._from_watch = False

    def watch_again(self) -> None:
        """Watch the database that is now open, instead of the previous one."""
        if self._watch:
            self._watch.close()
        self._watch = self._store.watch(self._watch_called)

    def close(self) -> None:
        """Stop watching."""
        self._stop_listening()
        if self._watch:
            self._watch.close()

    def _from_any_thread(self) -> None:
        # The loop may be closed at any moment, so checking `is_closed()` first would not help.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.nudge)

    def _watch_called(self) -> None:
        self._from_watch, self._others_wrote_at = True, self._loop.time()
        self.nudge()
