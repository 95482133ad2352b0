"""The background writer, with which integrations report: the program never waits for it, and never gets its errors.

writer = background_writer(target())
writer.create_task("nightly", title="Nightly build")
writer.append("nightly", "log", {"message": "hello"})

Events wait in a bounded queue. A daemon thread opens the store with the first one, appends them in groups, tries again
while the store or the server is away, and says in the log how many events were dropped meanwhile.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from concurrent.futures import thread as _thread_pools  # noqa: F401
from contextlib import suppress

from signalbox.integrations.reporting.delivery import when_first_opened
from signalbox.integrations.reporting.event_queue import CREATE_TASK, EventQueue, QueuedEvent
from signalbox.integrations.reporting.snapshot import snapshot
from signalbox.integrations.reporting.target import ReportTarget
from signalbox.integrations.reporting.writer_thread import LOAD_TIMEOUT_S, Heartbeat, WriterThread

TYPE_CHECKING = False  # from typing, which takes longer to import than this module
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MAX_EVENTS, MAX_BYTES = 10_000, 32 * 2**20
"""Events that may wait, and their estimated bytes."""

EXIT_TIMEOUT_S = 5.0
"""Seconds for which the end of the program waits for the store at most, once the modules of the store are loaded."""

FORK_WAIT_S = 1.0
"""Seconds for which `fork` waits at most until the thread holds no lock that the child would need.

They do not include those in which the thread loads the modules of the store.
"""


class BackgroundWriter:
    """Appends events to the log at `target` in a daemon thread, which starts with the first event.

    Its methods may be called in any thread, in signal handlers and after `fork`. They raise no error of the store. A
    forked process gets an empty queue and a thread of its own; `forks` is the number of forks that led to this process.
    """

    def __init__(self, target: ReportTarget, *, max_events: int = MAX_EVENTS, max_bytes: int = MAX_BYTES) -> None:
        self.target = target
        self._limits = (max_events, max_bytes)
        self._thread = WriterThread(target, EventQueue(max_events, max_bytes))
        self.forks = 0
        _writers.add(self)

    def create_task(
        self,
        task_id: str,
        *,
        title: str | None = None,
        kind: str | None = None,
        metadata: dict[str, Any] | None = None,
        project_id: str | None = None,
    ) -> None:
        """Create a task, before its first event. An existing task stays as it is."""
        arguments = {"title": title, "kind": kind, "metadata": metadata, "project_id": project_id}
        self.append(task_id, CREATE_TASK, arguments)

    def append(
        self,
        task_id: str,
        event_type: str,
        payload: dict[str, Any] | None = None,
        *,
        identity: str | None = None,
        occurred_at: float | str | None = None,
        **fields: str | None,
    ) -> None:
        """Append an event. `occurred_at` is in seconds since 1970, or a text with a zone; by default it is now.

        `fields` are those of a `NewEvent`: `span_id`, `parent_span_id`, `phase`, `actor` and `key`. With `identity`
        the event reaches no later task with the same id. Values that JSON does not have become text.
        """
        queue = self._thread.queue
        try:
            copied, size = snapshot(payload or {})
            at = time.time() if occurred_at is None else occurred_at
            queue.add(QueuedEvent(task_id, identity, event_type, copied, fields, at, size))
            self._thread.wake()
        except Exception:
            queue.total_dropped += 1  # MemoryError, for example

    def append_line(
        self, task_id: str, identity: str | None, payload: dict[str, Any], fields: dict[str, Any], at: float, size: int
    ) -> None:
        """Append a `log` event whose payload has only texts and copies, in half the time of `append`.

        `size` is the estimated size of the payload in bytes.
        """
        thread = self._thread
        thread.queue.add(QueuedEvent(task_id, identity, "log", payload, fields, at, size))
        thread.wake()

    def deliver_soon(self) -> None:
        """Deliver the events of now at once, in the thread. Calls within the usual pause of 50 ms have no effect."""
        self._thread.wake_soon()

    def keep_alive(self, task_id: str, interval: float, *, identity: str | None = None) -> None:
        """Append a heartbeat whenever the task got no event for `interval` seconds, until `let_go`."""
        self._thread.heartbeats[task_id] = Heartbeat(interval, identity)
        self._thread.wake()

    def let_go(self, task_id: str) -> None:
        """End the heartbeats of a task."""
        self._thread.heartbeats.pop(task_id, None)

    def flush(self, timeout: float = EXIT_TIMEOUT_S, load_timeout: float = LOAD_TIMEOUT_S) -> bool:
        """Wait until the events of now are stored, for at most `timeout` seconds. Returns whether they are.

        The first events wait until the modules of the store are loaded; for that it waits at most `load_timeout` more.
        Returns False at once if the store or the server turns out to be away.
        """
        return self._thread.flush(timeout, load_timeout)

    def send_kept(self, timeout: float) -> None:
        """Send what earlier programs or this one kept on disk while the server was away, for at most `timeout` s."""
        if self.target.is_server:
            self._thread.delivery.send_kept(timeout)

    def close(self, timeout: float = EXIT_TIMEOUT_S) -> bool:
        """Flush, and end the thread. Returns whether everything is stored. A later event starts a new thread."""
        until, thread = time.monotonic() + timeout, self._thread
        self._thread = WriterThread(self.target, EventQueue(*self._limits))
        stored = thread.flush(timeout)
        thread.end(max(0.1, until - time.monotonic()))
        return stored

    @property
    def counts(self) -> dict[str, int]:
        """The numbers of events by what became of them.

        They are `waiting`, `written`, `kept` on disk until the server is back, `dropped` for want of room, or `refused`
        by the log.
        """
        queue, delivery = self._thread.queue, self._thread.delivery
        return {
            "waiting": self._thread.waiting,
            "written": delivery.written,
            "kept": delivery.kept,
            "dropped": queue.total_dropped,
            "refused": delivery.refused,
        }

    @property
    def is_down(self) -> bool:
        """Whether the last attempt to store events failed."""
        return self._thread.is_down

    def wait_while_loading(self) -> None:
        """Wait until the thread has loaded the modules of the store, if it is loading them now."""
        self._thread.wait_while_loading()

    @property
    def opening(self) -> threading.Lock:
        """Held while the thread opens the log."""
        return self._thread.opening

    @property
    def busy(self) -> threading.Lock:
        """Held while the thread holds locks that a forked process would need."""
        return self._thread.busy

    def start_over_in_child(self) -> None:
        """Begin with an empty queue in a forked process. The events of the parent are the parent's."""
        self.forks += 1
        # Closing the open log of the parent here could harm it, so keep it.
        _abandoned.append(self._thread)
        self._thread = WriterThread(self.target, EventQueue(*self._limits))


_writers: weakref.WeakSet[BackgroundWriter] = weakref.WeakSet()
_shared: dict[ReportTarget, BackgroundWriter] = {}
_abandoned: list[WriterThread] = []
_locked: list[threading.Lock] = []
_held: list[bool] = []
_before_flush: list[Callable[[], None]] = []
_deadlines: list[float] = []


def background_writer(target: ReportTarget) -> BackgroundWriter:
    """Return the writer of this process for `target`, which all integrations share."""
    writer = _shared.get(target)
    if writer is None:
        writer = _shared.setdefault(target, BackgroundWriter(target))
    return writer


def before_exit(call: Callable[[], None]) -> None:
    """Call `call` when the program ends, before the last flush. Errors are ignored."""
    _before_flush.append(call)


def _flush_all() -> None:
    _deadlines.append(time.monotonic() + EXIT_TIMEOUT_S)
    deadline = _deadlines[0]
    while _before_flush:
        with suppress(Exception):
            _before_flush.pop()()
    for writer in list(_writers):
        # The second call is not worth another attempt to reach a server that is away.
        if len(_deadlines) == 1 or not writer.is_down:
            with suppress(Exception):
                writer.flush(max(0.0, deadline - time.monotonic()))
                writer.send_kept(max(0.0, deadline - time.monotonic()))


def _before_fork() -> None:
    if _held:
        return
    _held.append(True)
    writers = list(_writers)
    _hold([writer.opening for writer in writers])
    for writer in writers:
        writer.wait_while_loading()
    _hold([writer.busy for writer in writers])


def _hold(locks: list[threading.Lock]) -> None:
    deadline = time.monotonic() + FORK_WAIT_S
    _locked.extend(lock for lock in locks if lock.acquire(timeout=max(0.0, deadline - time.monotonic())))


def _after_fork_in_parent() -> None:
    _held.clear()
    while _locked:
        _locked.pop().release()


def _after_fork_in_child() -> None:
    _held.clear()
    _locked.clear()
    _deadlines.clear()
    for writer in list(_writers):
        writer.start_over_in_child()


# `concurrent.futures.thread` must be loaded before this, as it cannot be loaded while the program ends. Both calls are
# needed. `threading` calls its functions also at the end of a child of multiprocessing, and while threads can still be
# started. `atexit` calls its functions later, and one of them may have logged something.
getattr(threading, "_register_atexit", atexit.register)(_flush_all)
atexit.register(_flush_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
    # A store also waits before a fork for its callers. Python calls what was registered last first, so the second
    # registration lets the threads of the writers end their calls before the store is held.
    when_first_opened.append(lambda: os.register_at_fork(before=_before_fork))
