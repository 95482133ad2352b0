"""Forks of a program whose threads use SQLite. The child can use the same stores, and opens connections of its own.

SQLite has locks for the whole process. A child whose parent has another thread in SQLite at the moment of the fork
finds them locked, and waits for ever. So a fork first keeps the threads of all stores out of SQLite.

SQLite also remembers which locks on the file the process holds, but a child does not inherit them (POSIX). So the child
closes all inherited connections at once. The parent still holds its locks, so this changes nothing in the database.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from contextlib import suppress
from typing import Any, Protocol

import aiosqlite

from signalbox.store.errors import StoreUnavailable

FORK_WAIT_S = 1.0
"""Seconds for which `fork` waits at most until no thread uses SQLite."""

LOOK_S = 0.01


class Forkable(Protocol):
    """A store that a fork holds still."""

    def hold(self, timeout: float) -> bool:
        """Keep other threads from writing until `let_go`. Returns False if that fails within `timeout` seconds."""

    def let_go(self) -> None:
        """Undo `hold`."""

    def after_fork(self) -> None:
        """Forget the connections, the locks and the callers of the parent, in the child."""


class _Depth(threading.local):
    value = 0


class Gate:
    """A block that uses SQLite, as `with gate:`. A fork waits until no thread is inside, and lets none in.

    In the child of a fork that waited in vain, entering raises StoreUnavailable.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._depth = _Depth()
        self._inside, self._shut = 0, False
        self.unusable = False

    def __enter__(self) -> None:
        if self.unusable:
            raise StoreUnavailable(
                "this process was forked while another thread used SQLite, so it cannot use a database in a file;"
                " fork before the threads start, or use the start method `spawn`",
                retry_after=30,
            )
        if not self._depth.value:
            with self._changed:
                while self._shut:
                    self._changed.wait()
                self._inside += 1
        self._depth.value += 1

    def __exit__(self, *error: object) -> None:
        self._depth.value -= 1
        if not self._depth.value:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def shut(self, deadline: float) -> bool:
        """Let no thread in, and wait until none is inside. Returns False if one is still inside at the deadline."""
        with self._changed:
            self._shut = True
            return self._changed.wait_for(lambda: not self._inside, max(0.0, deadline - time.monotonic()))

    def open(self) -> None:
        """Undo `shut`."""
        with self._changed:
            self._shut = False
            self._changed.notify_all()

    def after_fork(self) -> None:
        """Forget the threads of the parent."""
        self._changed, self._depth = threading.Condition(), _Depth()
        self._inside, self._shut = 0, False


gate = Gate()


class SqliteConnection(sqlite3.Connection):
    """A connection that a child of this process closes."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        _connections.add(self)


class _Fork:
    """One fork, from before it until after it."""

    def __init__(self) -> None:
        self._until = time.monotonic() + FORK_WAIT_S
        self._held: list[Forkable] = []
        self._leave = threading.Event()
        # The gate comes second, because a thread that writes may enter it. A store can be opened until it is shut.
        held = self._hold_stores()
        shut = gate.shut(self._until)
        held = self._hold_stores() and held
        parked = [self._parked(reader) for reader in list(_reader_threads)]
        self.safe = held and shut and all(parked)

    def _hold_stores(self) -> bool:
        for store in [one for one in list(_stores) if one not in self._held]:
            if store.hold(max(0.0, self._until - time.monotonic())):
                self._held.append(store)
        return len(self._held) == len(_stores)

    def _parked(self, connection: aiosqlite.Connection) -> bool:
        # The threads of aiosqlite run functions from a queue, so a function that waits keeps them out of SQLite.
        arrived, leave = threading.Event(), self._leave

        def wait() -> None:
            arrived.set()
            leave.wait()

        connection._tx.put_nowait((None, wait))
        while connection._thread.is_alive() and not arrived.wait(LOOK_S):
            if time.monotonic() > self._until:
                return False
        return True

    def end(self) -> None:
        """Let the threads of the parent go on."""
        self._leave.set()
        gate.open()
        for store in self._held:
            store.let_go()


_connections: weakref.WeakSet[sqlite3.Connection] = weakref.WeakSet()
_reader_threads: weakref.WeakSet[aiosqlite.Connection] = weakref.WeakSet()
_stores: weakref.WeakSet[Forkable] = weakref.WeakSet()
_forking = threading.Lock()
_forks: list[_Fork] = []


def hold_while_forking(store: Forkable) -> None:
    """Hold this store still at each fork."""
    _stores.add(store)


def park_while_forking(connection: aiosqlite.Connection) -> None:
    """Keep the thread of this connection out of SQLite at each fork."""
    with gate:
        _reader_threads.add(connection)


def _before() -> None:
    _forking.acquire()
    _forks.append(_Fork())


def _in_parent() -> None:
    # Without a fork, another thread has loaded this module since the fork began.
    if _forks:
        try:
            _forks.pop().end()
        finally:
            _forking.release()


def _in_child() -> None:
    global _forking
    _forking = threading.Lock()
    safe = _forks.pop().safe if _forks else not _connections
    gate.after_fork()
    gate.unusable = gate.unusable or not safe
    for connection in list(_connections):
        if gate.unusable:
            _keep_for_ever(connection)
        else:
            with suppress(sqlite3.Error):
                connection.close()
    for reader in list(_reader_threads):
        reader._running, reader._connection = False, None
    _connections.clear()
    _reader_threads.clear()
    for store in list(_stores):
        store.after_fork()


def _keep_for_ever(connection: sqlite3.Connection) -> None:
    """Prevent that the end of the interpreter closes a connection, which would wait for a lock of SQLite."""
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
