"""The thread that sends the records of a spool. Of all processes that share the spool, one sends at a time."""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from signalbox.store.errors import (
    Conflict,
    InvalidEvent,
    NotAllowed,
    StoreClosed,
    StoreDamaged,
    StoreError,
    StoreUnavailable,
    UnknownTask,
)
from signalbox.store.loops import report
from signalbox.store.spool.file import SpoolFile
from signalbox.store.spool.records import Record

FIRST_PAUSE_S, MAX_PAUSE_S = 0.2, 5.0
"""Seconds before the server is tried again, and the maximum. The pause doubles with each failed attempt."""

LOCK_PAUSE_S = 0.2
"""Seconds between two looks while another process sends."""

MAX_FAULTS = 5
"""How often the server may answer 500 before its faults are put down to single records."""

MAX_BATCH_EVENTS, MAX_BATCH_BYTES = 500, 256 * 1024
"""The events in one request, at most."""

REFUSALS = (InvalidEvent, Conflict, NotAllowed, UnknownTask, StoreDamaged)
"""The answers of a server that a repetition does not change."""


class ServerFault(StoreUnavailable):
    """The server failed on the request, which may be the fault of one of its records."""


class Send(Protocol):
    """Sends records of one task and one kind in one request, and returns once the server has stored them.

    Raises one of `REFUSALS`, StoreClosed, ServerFault, or StoreUnavailable for everything that may pass.
    """

    def __call__(self, records: Sequence[Record]) -> None: ...


class Sender:
    """Sends the records in order, in a thread that ends when none is left. `notice` gets a line for people.

    Records that the server refuses are set aside, so that they do not block the others.
    """

    def __init__(self, file: SpoolFile, send: Send, notice: Callable[[str], None]) -> None:
        self._file, self._send, self._notice = file, send, notice
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._faults = 0
        self._away = False

    @property
    def is_away(self) -> bool:
        """Whether the last request failed because the server is busy or unreachable."""
        return self._away

    def wake(self) -> None:
        """Start the thread, unless it runs already."""
        with self._changed:
            if not self._stopped and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(target=self._run, name="signalbox-spool", daemon=True)
                self._thread.start()

    def flush(self, timeout: float, patience: float) -> bool:
        """Wait until no record is left, and return whether that is so.

        Waits at most `timeout` seconds, and at most `patience` seconds while the server does not answer.
        """
        began = time.monotonic()
        self.wake()
        with self._changed:
            self._changed.notify_all()
            while self._thread is not None and self._thread.is_alive():
                waited = time.monotonic() - began
                if waited > timeout or (self._away and waited > patience):
                    return False
                self._changed.wait(0.05)
        return not self._file.has_records()

    def join(self, timeout: float) -> bool:
        """Wait for at most `timeout` seconds until no record is left, and return whether that is so."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout)
        return self._thread is None

    def stop(self) -> None:
        """End the thread after its present request, and wait for it at most for a second."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(1.0)

    def _run(self) -> None:
        pause, fault = FIRST_PAUSE_S, ""
        while not self._stopped:
            try:
                with locked(self._file.path.with_name("sending.lock")) as is_ours:
                    if is_ours:
                        self._file.take_hook_calls()
                    if is_ours and self._send_window():
                        pause = FIRST_PAUSE_S
                        continue
                    if is_ours and self._end():
                        self._file.hook_calls.clear()
                        return
                if not self._file.has_records() and self._end():
                    return
                self._pause(LOCK_PAUSE_S)
            except StoreClosed:
                return
            except StoreUnavailable as error:
                self._report_away(str(error))
                self._pause(max(pause, error.retry_after))
                pause = min(pause * 2, MAX_PAUSE_S)
            except (sqlite3.Error, OSError) as error:
                if not self._file.path.exists():
                    # Somebody deleted the spool. A later record begins a new one.
                    self._file.close()
                if str(error) != fault:
                    fault = str(error)
                    self._notice(f"the spool {self._file.path} cannot be used: {fault}")
                self._pause(MAX_PAUSE_S)
            except Exception as error:
                report(logging.ERROR, "the spool could not send", error)
                self._pause(MAX_PAUSE_S)

    def _send_window(self) -> bool:
        """Send the first records, and return whether there were any. Raises StoreUnavailable."""
        window, works = self._file.window(), False
        faulty: dict[str, tuple[list[Record], ServerFault]] = {}
        for batch in batches(window):
            task_id = batch[0].task_id
            if self._stopped or task_id in faulty:
                continue
            try:
                self._send_batch(batch)
            except ServerFault as error:
                faulty[task_id] = batch, error
            else:
                works = True
                self._report_back()
        self._faults = self._faults + 1 if faulty else 0
        for batch, fault in faulty.values():
            if self._faults < MAX_FAULTS:
                raise fault
            self._isolate(batch, fault, works=works)
        return bool(window)

    def _send_batch(self, batch: list[Record]) -> None:
        try:
            self._send(batch)
        except REFUSALS as error:
            if len(batch) > 1 and isinstance(error, InvalidEvent | Conflict):
                # One of them was refused, and the server stores all or none.
                for record in batch:
                    self._send_batch([record])
                return
            self._refuse(batch, error)
        else:
            self._file.remove(batch)

    def _refuse(self, batch: list[Record], error: StoreError) -> None:
        count = "1 event" if len(batch) == 1 else f"{len(batch):,} events"
        self._notice(f"the server refuses {count} of the task {batch[0].task_id}: {error}")
        self._file.refuse(batch, reason_of(error))

    def _isolate(self, batch: list[Record], fault: ServerFault, *, works: bool) -> None:
        """Send records one by one, and set those aside on which a server fails that otherwise works.

        Raises `fault` if it fails on all of them: then they are not the cause.
        """
        faulty = []
        for record in batch:
            try:
                self._send_batch([record])
                works = True
            except ServerFault:
                faulty.append(record)
        if not works:
            raise fault
        for record in faulty:
            self._refuse([record], fault)

    def _end(self) -> bool:
        """Return whether the thread may end, because no record is left. A later `wake` starts another one."""
        with self._changed:
            if self._file.has_records():
                return False
            self._file.shrink()
            self._thread = None
            self._changed.notify_all()
            return True

    def _report_away(self, message: str) -> None:
        if not self._away:
            self._notice(f"{message}; output is kept on disk and sent later")
        with self._changed:
            self._away = True
            self._changed.notify_all()

    def _report_back(self) -> None:
        if self._away:
            self._notice("the server answers again")
        self._away = False

    def _pause(self, seconds: float) -> None:
        with self._changed:
            if not self._stopped:
                self._changed.wait(seconds)


def batches(records: Sequence[Record]) -> Iterator[list[Record]]:
    """Group records into requests: in order within each task, with at most `MAX_BATCH_EVENTS` events of one task."""
    by_task: dict[str, list[Record]] = {}
    for record in records:
        by_task.setdefault(record.task_id, []).append(record)
    for of_task in by_task.values():
        batch: list[Record] = []
        size = 0
        for record in of_task:
            if batch and (
                not _may_share(batch[-1], record)
                or len(batch) >= MAX_BATCH_EVENTS
                or size + record.size > MAX_BATCH_BYTES
            ):
                yield batch
                batch, size = [], 0
            batch.append(record)
            size += record.size
        yield batch


def _may_share(one: Record, other: Record) -> bool:
    """Return whether one request can contain both records."""
    return one.identity == other.identity and not {one.kind, other.kind} & {"task", "artifact", "hook"}


def reason_of(error: StoreError) -> str:
    """Return the reason of a refusal, without the id of the task, so that equal reasons can be counted."""
    if isinstance(error, UnknownTask):
        return "the task was deleted" if type(error) is not UnknownTask else "there is no such task"
    return str(error)


_descriptors: set[int] = set()


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold the lock file at `path` in the block if no other process holds it. Yields whether it is held.

    The lock ends with the process, however it dies.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    _descriptors.add(descriptor)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        _descriptors.discard(descriptor)
        os.close(descriptor)


def close_inherited_locks() -> None:
    """Close the lock files of the parent in a forked process, which would hold its locks after its death."""
    for descriptor in _descriptors:
        os.close(descriptor)
    _descriptors.clear()
