"""The thread of a background writer in one process: it takes events from the queue and delivers them in batches."""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import nullcontext, suppress
from queue import Empty, SimpleQueue

from signalbox.integrations.reporting.daemon_thread import DaemonThread
from signalbox.integrations.reporting.delivery import Delivery
from signalbox.integrations.reporting.event_queue import EventQueue, QueuedEvent
from signalbox.integrations.reporting.target import ReportTarget

log = logging.getLogger("signalbox.integrations")

BATCH, BATCH_BYTES = 500, 2 * 2**20
"""Events that one batch has at most, and their estimated bytes."""

LINGER_S = 0.05
"""Seconds for which the first event of a batch waits for others."""

FIRST_PAUSE_S, MAX_PAUSE_S = 0.25, 10.0
"""Seconds between two attempts: after the first failure, and at most."""

LOAD_TIMEOUT_S = 60.0
"""Seconds for which a flush or a fork waits until the modules of the store are loaded. Its own limit begins after that.

A busy machine may need longer to load them than a store that works needs to answer.
"""

REPORT_INTERVAL_S = 1.0
"""Seconds between two events that say how many events were dropped."""


delivering: set[int] = set()
"""The idents of threads of the program that deliver events themselves, because no thread can be started any more."""


class Heartbeat:
    """Says when a task needs a sign of life: `interval` seconds after `last`, in the time of `time.monotonic`."""

    def __init__(self, interval: float, identity: str | None) -> None:
        self.interval, self.identity, self.last = interval, identity, time.monotonic()


class WriterThread:
    """Delivers the events of `queue` to `target`."""

    def __init__(self, target: ReportTarget, queue: EventQueue) -> None:
        self.queue = queue
        self.delivery = Delivery(target)
        self.heartbeats: dict[str, Heartbeat] = {}
        # Held while the thread holds locks that a forked process would need: while it loads modules and uses SQLite.
        self.busy = threading.Lock()
        # Held while the thread opens the log. A fork takes it first, so that the log is not opened during the fork.
        self.opening = threading.Lock()
        self._target = target
        self._thread = DaemonThread(self._run, "signalbox-background")
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._hurry = threading.Event()
        self._progress = threading.Condition()
        self._pending: list[QueuedEvent] = []
        self._done_number = 0
        self._attempt_failed = False
        self.is_down = False
        self._next_report = 0.0
        self._soon = False
        self._next_soon = 0.0
        self._ending = False

    # for other threads

    @property
    def waiting(self) -> int:
        """The number of events that are not delivered yet."""
        return len(self.queue) + len(self._pending)

    def wake(self) -> None:
        """Say that the queue has an event. Never blocks, so it may be called in a signal handler."""
        self._thread.start()
        if self._wake.empty():
            self._wake.put(None)

    def wake_soon(self) -> None:
        """Deliver the events of now without a pause for others, unless that was done within the last `LINGER_S`."""
        now = time.monotonic()
        if now >= self._next_soon:
            self._next_soon, self._soon = now + LINGER_S, True
            self._hurry.set()
        self.wake()

    def flush(self, timeout: float, load_timeout: float = LOAD_TIMEOUT_S) -> bool:
        """Wait until the events of now are delivered. Returns False after `timeout` seconds or a failed attempt.

        If the thread is loading the modules of the store, first wait for that, for at most `load_timeout` seconds.
        """
        wanted = self.queue.last_number
        if self._done_number >= wanted:
            return True
        self._attempt_failed = False
        self._hurry.set()
        self.wake()
        if not self._thread.started:
            return self._deliver_in_this_thread(time.monotonic() + timeout)
        if timeout > 0:
            self.delivery.loaded.wait(load_timeout)
        deadline = time.monotonic() + timeout
        with self._progress:
            while self._done_number < wanted and not self._attempt_failed:
                left = deadline - time.monotonic()
                if left <= 0 or not self._progress.wait(left):
                    break
        self._hurry.clear()
        return self._done_number >= wanted

    def wait_while_loading(self) -> None:
        """Wait until the thread has loaded the modules of the store, if it is loading them now.

        A process that was forked meanwhile would have modules that are loaded in part, and nobody to load the rest.
        """
        if self.busy.locked() and not self._thread.is_current:
            self.delivery.loaded.wait(LOAD_TIMEOUT_S)

    def end(self, timeout: float) -> None:
        """End the thread once the queue is empty or an attempt fails. Waits for at most `timeout` seconds."""
        if not self._thread.started:
            self.delivery.close()
            return
        self._ending = True
        self._hurry.set()
        self._wake.put(None)
        self._thread.join(timeout)

    def _deliver_in_this_thread(self, deadline: float) -> bool:
        delivering.add(threading.get_ident())
        try:
            while (batch := self._batch()) and time.monotonic() < deadline:
                self.delivery.send(batch)
        except Exception as error:
            self._report_failure(error)
        finally:
            delivering.discard(threading.get_ident())
        return not len(self.queue)

    # in the thread

    def _run(self) -> None:
        pending = self._pending
        pause = FIRST_PAUSE_S
        while True:
            try:
                if not pending:
                    self._wait_for_events()
                    last_number = self.queue.last_number
                    pending += self._batch()
                    done = max((item.number for item in pending), default=last_number)
                self._deliver(pending)
                self._report_progress(done)
                pause = FIRST_PAUSE_S
            except Exception as error:
                self._report_failure(error)
                if not self._ending:
                    self._hurry.wait(pause)
                    pause = min(2 * pause, MAX_PAUSE_S)
            if self._ending and (self._attempt_failed or not (pending or len(self.queue))):
                break
        self.delivery.close()

    def _wait_for_events(self) -> None:
        if not len(self.queue) and not self._ending:
            with suppress(Empty):
                self._wake.get(timeout=self._seconds_to_wait())
        if len(self.queue) < BATCH:
            self._hurry.wait(LINGER_S)
        if self._soon:
            # A flush that waits just now is delayed by one pause.
            self._soon = False
            self._hurry.clear()
        while not self._wake.empty():
            self._wake.get()

    def _seconds_to_wait(self) -> float | None:
        """Queue the heartbeats that are due. Returns the seconds until the next one or the next report is, or None."""
        now = time.monotonic()
        due = [self._next_report - now] if self.queue.has_dropped else []
        for task_id, beat in list(self.heartbeats.items()):
            if now - beat.last >= beat.interval:
                beat.last = now
                self.queue.add(QueuedEvent(task_id, beat.identity, "runner_heartbeat", {}, {}, time.time(), 0))
                return 0.0
            due.append(beat.last + beat.interval - now)
        return max(0.0, min(due)) if due else None

    def _batch(self) -> list[QueuedEvent]:
        reports = self._reports_of_drops() if time.monotonic() >= self._next_report else []
        batch = [*reports, *self.queue.take(BATCH, BATCH_BYTES)]
        for item in batch:
            if (beat := self.heartbeats.get(item.task_id)) is not None:
                beat.last = time.monotonic()
        return batch

    def _reports_of_drops(self) -> list[QueuedEvent]:
        reports = []
        for task_id, (identity, number) in self.queue.take_dropped().items():
            events = "1 event was" if number == 1 else f"{number:,} events were"
            message = f"{events} dropped, because too many were waiting to be sent"
            payload = {"message": message, "level": "warning", "dropped": number}
            key = {"key": f"dropped-{os.urandom(8).hex()}"}
            reports.append(QueuedEvent(task_id, identity, "log", payload, key, time.time(), 0))
        if reports:
            self._next_report = time.monotonic() + REPORT_INTERVAL_S
        return reports

    def _deliver(self, pending: list[QueuedEvent]) -> None:
        if not pending:
            return
        with self.busy:
            self.delivery.load()
        with self.opening, self.busy:
            self.delivery.open()
        with self.busy if self._target.is_file else nullcontext():
            self.delivery.send(pending)

    def _report_progress(self, done: int) -> None:
        if self.is_down:
            self.is_down = False
            log.warning("signalbox receives events again at %s", self._target.shown_url)
        with self._progress:
            self._done_number = max(self._done_number, done)
            self._progress.notify_all()

    def _report_failure(self, error: Exception) -> None:
        if not self.is_down:
            self.is_down = True
            log.warning("signalbox cannot store events at %s and tries again: %s", self._target.shown_url, error)
        with self._progress:
            self._attempt_failed = True
            self._progress.notify_all()
