"""The spool: events for a server are kept on disk while it is away, and sent in order when it is back.

Each server and token has one spool, which all processes of a user share. What is kept is on disk before the call
returns, and every event has an idempotency key, so a death at any point loses nothing and sends nothing twice.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
import weakref
from collections.abc import Callable, Sequence

from signalbox.store.errors import StoreUnavailable
from signalbox.store.loops import report
from signalbox.store.spool.file import SpoolFile
from signalbox.store.spool.place import FILE_NAME, folder_for, max_bytes
from signalbox.store.spool.records import Record
from signalbox.store.spool.sender import Send, Sender, close_inherited_locks

FORK_WAIT_S = 1.0
"""Seconds for which `fork` waits at most until no thread uses the file of a spool."""


class SpoolUnusable(StoreUnavailable):
    """The spool cannot be written. Its message says why."""


class Spool:
    """The spool for the server at `url` with `token`, which `send` sends to it. Safe to use from any thread.

    Creates no file before a record is kept. `notice` is called with a line of text when the server is away, when it
    answers again, and when it refuses records; by default it is logged.
    """

    def __init__(self, url: str, token: str | None, send: Send) -> None:
        self.notice: Callable[[str], None] = lambda text: report(logging.WARNING, text, None, server=url)
        self._send = send
        self._fault: str | None = None
        self._file: SpoolFile | None = None
        bound = max_bytes()
        try:
            self._file = SpoolFile(folder_for(url, token) / FILE_NAME, url, bound) if bound else None
        except RuntimeError as error:
            self._fault = str(error)
        self._sender = self._new_sender()
        _spools.add(self)

    def in_use(self) -> bool:
        """Return whether records wait, also those of other processes. Then later ones must wait behind them."""
        if self._file is None:
            return False
        try:
            waiting = self._file.has_records()
        except (sqlite3.Error, OSError) as error:
            self._report_fault(error)
            return False
        if waiting and self._sender is not None:
            self._sender.wake()
        return waiting

    def keep(self, records: Sequence[Record]) -> None:
        """Keep records on disk, and send them when the server is back. Raises SpoolUnusable."""
        if self._file is None or self._sender is None:
            raise SpoolUnusable(self._fault or "there is no spool")
        try:
            self._file.keep(records)
        except (sqlite3.Error, OSError) as error:
            self._report_fault(error)
            raise SpoolUnusable(self._fault or str(error)) from error
        self._fault = None
        self._sender.wake()

    def flush(self, timeout: float, patience: float) -> int:
        """Send what waits, and return how many records still wait.

        Waits at most `timeout` seconds, and at most `patience` seconds while the server does not answer.
        """
        if self._file is None or self._sender is None or not self.in_use():
            return 0
        self._sender.flush(timeout, patience)
        try:
            return self._file.contents().waiting
        except (sqlite3.Error, OSError):
            return 0

    @property
    def file(self) -> SpoolFile | None:
        """The file, or None if there is no spool."""
        return self._file

    def close(self) -> None:
        """Stop sending. The next process that uses the server sends the rest."""
        if self._sender is not None:
            self._sender.stop()
        if self._file is not None:
            self._file.close()

    def after_fork(self) -> None:
        """Give the forked process a connection and a thread of its own."""
        if self._file is not None:
            self._file.after_fork()
        self._sender = self._new_sender()

    def _new_sender(self) -> Sender | None:
        # Read `notice` at each call, because a program may set it later.
        return None if self._file is None else Sender(self._file, self._send, lambda text: self.notice(text))

    def _report_fault(self, error: Exception) -> None:
        fault = f"the spool {self._file.path if self._file else ''} cannot be used: {error}"
        if fault != self._fault:
            self._fault = fault
            self.notice(fault)


_spools: weakref.WeakSet[Spool] = weakref.WeakSet()
_held: list[SpoolFile] = []


def _before_fork() -> None:
    # SQLite has locks for the whole process. If another thread were in SQLite now, the child would find them locked.
    deadline = time.monotonic() + FORK_WAIT_S
    files = [spool.file for spool in list(_spools) if spool.file is not None]
    _held.extend(file for file in files if file.hold(max(0.0, deadline - time.monotonic())))


def _after_fork_in_parent() -> None:
    while _held:
        _held.pop().let_go()


def _after_fork_in_child() -> None:
    _held.clear()
    close_inherited_locks()
    for spool in _spools:
        spool.after_fork()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
