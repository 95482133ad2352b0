"""Watching the write-ahead log: the system tells of every write to it, by whichever process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

NOTIFICATIONS = 64 * 1024
"""Bytes of file notifications taken at once."""


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
