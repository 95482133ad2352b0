"""Wakes: hints that the log may have grown. They carry no data, so a lost one costs delay and never an event."""

from __future__ import annotations

import asyncio
import contextlib

from signalbox.store.contract import Store, Watch

SECOND_LOOK = 0.002
"""Seconds until a look that a watch caused, and that found nothing, is repeated: a commit may become visible just after
the watch is told of it."""


class Wake:
    """Something to wait on until the log may have grown: a commit of this process, the store's watch, a poll."""

    def __init__(
        self, store: Store, *, poll_interval: float = 0.1, max_poll_interval: float = 2.0, backoff: float = 1.5
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self._shortest, self._longest, self._backoff = poll_interval, max_poll_interval, backoff
        self._pause = poll_interval
        self._from_watch = False
        self._store = store
        self._stop_listening = store.on_commit(self._from_any_thread)
        self._watch: Watch | None = None
        self.watch_again()

    async def wait(self) -> None:
        """Return at the next wake, or when the fallback poll is due (its pause grows while nothing happens)."""
        poll = self._loop.call_later(self._pause, self._event.set)
        try:
            await self._event.wait()
        finally:
            poll.cancel()
        self._event.clear()

    async def pause(self, seconds: float) -> None:
        """Hear nothing for so long. Whoever looks after it sees all that it would have been told of."""
        if self._watch:
            self._watch.ignore()
        await asyncio.sleep(seconds)
        if self._watch:
            self._watch.listen()
        self._event.clear()

    def nudge(self) -> None:
        """End the wait, from the loop's own thread."""
        self._event.set()

    def found(self, something: bool) -> None:
        """Tell whether the look after the last wake found something; it sets the pause of the fallback poll."""
        self._pause = self._shortest if something else min(self._pause * self._backoff, self._longest)
        if self._from_watch and not something:
            self._loop.call_later(SECOND_LOOK, self._event.set)
        self._from_watch = False

    def watch_again(self) -> None:
        """Watch the database that is open now."""
        if self._watch:
            self._watch.close()
        self._watch = self._store.watch(self._watch_called)

    def close(self) -> None:
        """Stop listening."""
        self._stop_listening()
        if self._watch:
            self._watch.close()

    def _from_any_thread(self) -> None:
        # The loop may be closed, also between a question and this.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._event.set)

    def _watch_called(self) -> None:
        self._from_watch = True
        self._event.set()
