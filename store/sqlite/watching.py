"""Watching the write-ahead log with inotify, for the writes of other processes."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from signalbox.store.wake import ALONE_AFTER

READ_SIZE = 64 * 1024
"""Bytes of file notifications that are read at once."""


class FileWatch:
    """Calls `callback` in the running loop whenever a file is written. Raises OSError if it cannot be watched.

    Each commit writes the file several times. The writer of this process mutes its own writes, because
    `Store.on_commit` reports them once.
    """

    def __init__(self, path: Path, callback: Callable[[], None], on_close: Callable[[FileWatch], None]) -> None:
        import inotify_simple

        self._loop = asyncio.get_running_loop()
        self._path, self._callback, self._on_close = path, callback, on_close
        self._writes, self._nothing = inotify_simple.flags.MODIFY, inotify_simple.flags.UNMOUNT
        self._lock, self._closed = threading.Lock(), False
        self._listening, self._written_at = True, -math.inf
        self._inotify = inotify_simple.INotify(nonblocking=True)
        try:
            self._inotify.add_watch(path, self._writes)
        except OSError:
            self._inotify.close()
            raise
        self._loop.add_reader(self._inotify.fileno(), self._readable)

    def mute(self) -> None:
        """See `FileWatches.mute`."""
        self._set(self._nothing)

    def unmute(self) -> None:
        """See `FileWatches.unmute`."""
        self._set(self._writes)
        if self._loop.time() < self._written_at + ALONE_AFTER:
            with contextlib.suppress(RuntimeError):  # The loop may be closed at any moment.
                self._loop.call_soon_threadsafe(self._report)

    def _set(self, events: int) -> None:
        # For a file that is watched already, this changes which events are reported, and keeps those that wait.
        with self._lock, contextlib.suppress(OSError):
            if not self._closed:
                self._inotify.add_watch(self._path, events)

    def ignore(self) -> None:
        """Stop calling `callback` until `listen` is called."""
        self._listening = False
        self._loop.remove_reader(self._inotify.fileno())

    def listen(self) -> None:
        """Call `callback` for later writes again."""
        self._listening = True
        self._discard()
        self._loop.add_reader(self._inotify.fileno(), self._readable)

    def close(self) -> None:
        """Stop watching."""
        self.ignore()
        with self._lock:
            self._closed = True
            self._inotify.close()
        self._on_close(self)

    def _readable(self) -> None:
        self._discard()
        self._written_at = self._loop.time()
        self._callback()

    def _report(self) -> None:
        if self._listening:
            self._callback()

    def _discard(self) -> None:
        # The content of the notifications does not matter, and the kernel merges equal ones.
        with contextlib.suppress(BlockingIOError):
            os.read(self._inotify.fileno(), READ_SIZE)


class FileWatches:
    """The watches of one file in this process. `mute` and `unmute` are for the thread of its writer."""

    def __init__(self) -> None:
        # A tuple, because loops in several threads add and remove watches while the writer visits them.
        self._watches: tuple[FileWatch, ...] = ()
        self._lock = threading.Lock()

    def add(self, path: Path, callback: Callable[[], None]) -> FileWatch | None:
        """Watch a file. Return None without inotify, or if `path` cannot be watched; the tail then only polls."""
        if sys.platform != "linux":
            return None
        try:
            watch = FileWatch(path, callback, self._remove)
        except OSError:
            return None
        with self._lock:
            self._watches += (watch,)
        return watch

    def mute(self) -> None:
        """Ignore the writes that follow. Call it while no other process can write."""
        for watch in self._watches:
            watch.mute()

    def unmute(self) -> None:
        """Report writes again.

        Another process may have written between the commit of this one and this call. So this reports a write too if
        other processes have written lately; the first write after a while is found by a poll at the latest.
        """
        for watch in self._watches:
            watch.unmute()

    def after_fork(self) -> None:
        """Forget the watches of the parent process, which owns them."""
        self._watches, self._lock = (), threading.Lock()

    def _remove(self, watch: FileWatch) -> None:
        with self._lock:
            self._watches = tuple(other for other in self._watches if other is not watch)
