"""Wakes: hints that the log may have grown. They carry no data, so a lost one costs delay and never an event."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

from signalbox.store.contract import Store

SECOND_LOOK = 0.002
"""Seconds until a look that a file notification caused, and that found nothing, is repeated: the commit may become
visible just after its write."""

NOTIFICATIONS = 64 * 1024
"""Bytes of file notifications taken at once."""


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
        self._wal: Path | None = getattr(store, "wal_path", None)
        self._watch: FileWatch | None = None
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

    def found(self, something: bool) -> None:
        """Tell whether the look after the last wake found something; it sets the pause of the fallback poll."""
        self._pause = self._shortest if something else min(self._pause * self._backoff, self._longest)
        if self._file_moved and not something:
            self._loop.call_later(SECOND_LOOK, self._event.set)
        self._file_moved = False

    def watch_again(self) -> None:
        """Watch the file that is at its path now."""
        if self._watch:
            self._watch.close()
        self._watch = watch_file(self._wal, self._from_file) if self._wal else None

    def close(self) -> None:
        """Stop listening."""
        self._stop_listening()
        if self._watch:
            self._watch.close()

    def _from_any_thread(self) -> None:
        # The loop may be closed, also between a question and this.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._event.set)

    def _from_file(self) -> None:
        self._file_moved = True
        self._event.set()


class FileWatch:
    """Calls `callback` in the running loop whenever a file is written to. OSError if it cannot be watched."""

    def __init__(self, path: Path, callback: Callable[[], None]) -> None:
        import inotify_simple

        self._loop = asyncio.get_running_loop()
        self._callback = callback
        self._inotify = inotify_simple.INotify(nonblocking=True)
        try:
            self._inotify.add_watch(path, inotify_simple.flags.MODIFY)
        except OSError:
            self._inotify.close()
            raise
        self._loop.add_reader(self._inotify.fileno(), self._readable)

    def ignore(self) -> None:
        """Call nobody until `listen`."""
        self._loop.remove_reader(self._inotify.fileno())

    def listen(self) -> None:
        """Call again, for what is written from now on."""
        self._forget()
        self._loop.add_reader(self._inotify.fileno(), self._readable)

    def close(self) -> None:
        """Watch no more."""
        self.ignore()
        self._inotify.close()

    def _readable(self) -> None:
        self._forget()
        self._callback()

    def _forget(self) -> None:
        # What the notifications say does not matter, and the system makes one of many that are alike.
        with contextlib.suppress(BlockingIOError):
            os.read(self._inotify.fileno(), NOTIFICATIONS)


def watch_file(path: Path, callback: Callable[[], None]) -> FileWatch | None:
    """A watch on a file; None where there is no inotify or `path` cannot be watched: then polls are all there is."""
    if sys.platform != "linux":
        return None
    try:
        return FileWatch(path, callback)
    except OSError:
        return None
