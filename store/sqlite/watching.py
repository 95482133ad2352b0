"""Watching the write-ahead log with inotify, which reports the writes of all processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

READ_SIZE = 64 * 1024
"""Bytes of file notifications that are read at once."""


class FileWatch:
    """Calls `callback` in the running loop whenever a file is written. Raises OSError if it cannot be watched."""

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
        """Stop calling `callback` until `listen` is called."""
        self._loop.remove_reader(self._inotify.fileno())

    def listen(self) -> None:
        """Call `callback` for later writes again."""
        self._discard()
        self._loop.add_reader(self._inotify.fileno(), self._readable)

    def close(self) -> None:
        """Stop watching."""
        self.ignore()
        self._inotify.close()

    def _readable(self) -> None:
        self._discard()
        self._callback()

    def _discard(self) -> None:
        # The content of the notifications does not matter, and the kernel merges equal ones.
        with contextlib.suppress(BlockingIOError):
            os.read(self._inotify.fileno(), READ_SIZE)


def watch_file(path: Path, callback: Callable[[], None]) -> FileWatch | None:
    """Watch a file. Return None without inotify, or if `path` cannot be watched; the tail then only polls."""
    if sys.platform != "linux":
        return None
    try:
        return FileWatch(path, callback)
    except OSError:
        return None
