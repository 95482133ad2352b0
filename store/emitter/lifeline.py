"""The lifeline of a run: a thread that appends heartbeats, and reads cancellations and answers from the log."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress

from signalbox.store.bounded_reads import payload_bytes, rows_within
from signalbox.store.contract import Store
from signalbox.store.emitter.emitters import AsyncEmitter
from signalbox.store.emitter.mailbox import Mailbox
from signalbox.store.errors import Conflict, StoreError, StoreUnavailable
from signalbox.store.events import Event, is_claim
from signalbox.store.identity import check_identity
from signalbox.store.log import Log, Remote, events_of, task_of, untaken_messages_of
from signalbox.store.loops import Loop, end_tasks, report
from signalbox.store.projections import messages
from signalbox.store.state import Task

PAGE_SIZE, PAGE_BYTES, FIRST_PAGE = 1000, 8 * 1024 * 1024, 100
"""Events per read of the log, about how many bytes of them, and the events of the first read."""

READ_INTERVAL, WAITING_READ_INTERVAL = 0.25, 0.02
"""Seconds between two reads of a store: normally, and while the run waits for an answer.

The lifeline does not read after every commit, because most commits are the run's own.
"""


class Lifeline:
    """A daemon thread with a loop of its own, from a run's spawn to its exit.

    It appends a `runner_heartbeat` after each `interval` seconds without `touch()`, and at once when the supervisor
    marks the run as interrupted. It follows the run's log after `since_seq` for `cancel_requested` and for the events
    that close the permission requests given to `expect`. It ignores a later task with the id of `task`. `since_seq` is
    None if the `runner_spawn` of `span_id` is not stored yet: then the lifeline ignores the events before it.
    """

    def __init__(self, log: Log, task: Task, span_id: str, since_seq: int | None, interval: float) -> None:
        self._log, self._task_id, self._span_id = log, task.task_id, span_id
        self._identity = task.identity or None
        self._emitter = AsyncEmitter(log, strict=True, task=task)
        self._since_seq = self._cursor = since_seq or 0
        self._page = FIRST_PAGE
        self._awaits_spawn = since_seq is None
        self._interval = interval
        self._last_event_at = time.monotonic()
        self._waiting: dict[str, Future[Event]] = {}
        self._cancel: Event | None = None
        self._follow_error: StoreError | None = None
        self._on_cancel: list[Callable[[], None]] = []
        self._on_failure: list[Callable[[StoreError], None]] = []
        self.mailbox = Mailbox()
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._waiting_changed = asyncio.Event()
        self._marked_interrupted = asyncio.Event()
        self._messages_wanted = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=f"signalbox-lifeline-{task.task_id}", daemon=True)
        self._thread.start()

    def touch(self) -> None:
        """Postpone the next heartbeat by a full interval, because the run just emitted an event."""
        self._last_event_at = time.monotonic()

    @property
    def cancelled(self) -> bool:
        """Whether the log has a `cancel_requested` for the run."""
        return self._cancel is not None

    @property
    def cursor(self) -> int:
        """The seq up to which the lifeline has read the log."""
        return self._cursor

    @property
    def error(self) -> StoreError | None:
        """The error that ended the following of the log, or None."""
        return self._follow_error

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Call `callback` in the lifeline's thread once the run is asked to stop, or now if it was already asked."""
        with self._lock:
            self._on_cancel.append(callback)
            already_cancelled = self.cancelled
        if already_cancelled:
            callback()

    def on_failure(self, callback: Callable[[StoreError], None]) -> None:
        """Call `callback` in the lifeline's thread with the error that ends the following of the log, or now."""
        with self._lock:
            self._on_failure.append(callback)
            error = self._follow_error
        if error is not None:
            callback(error)

    def expect(self, request_id: str) -> Future[Event]:
        """Return a future of the event that closes this permission request, or of a `cancel_requested`.

        Raises the StoreError that ended the reading of the log: see `error`.
        """
        closing: Future[Event] = Future()
        with self._lock:
            if self._follow_error is not None:
                raise self._follow_error
            self._waiting[request_id] = closing
            if self._cancel is not None:
                self._settle(self._cancel)
        self._in_loop(self._waiting_changed.set)
        return closing

    def forget(self, request_id: str) -> None:
        """Stop waiting for this request."""
        with self._lock:
            self._waiting.pop(request_id, None)

    def load_messages(self) -> None:
        """Also put messages from before the spawn into the mailbox, unless they are there already."""
        self._in_loop(self._messages_wanted.set)

    def stop(self) -> None:
        """End the thread. The lifeline appends nothing after this returns."""
        self._in_loop(lambda: self._main_task.cancel())
        self._thread.join()

    def _in_loop(self, call: Callable[[], object]) -> None:
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._main_task = self._loop.create_task(self._main())
        try:
            with suppress(asyncio.CancelledError):
                self._loop.run_until_complete(self._main_task)
            # Shielded calls are still running after the cancellation. Wait for them before closing the loop.
            shielded = asyncio.gather(*asyncio.all_tasks(self._loop), return_exceptions=True)
            self._loop.run_until_complete(shielded)
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()

    async def _main(self) -> None:
        heartbeats = asyncio.create_task(Loop("heartbeats").run(self._send_heartbeat_when_due))
        earlier_messages = asyncio.create_task(self._load_messages())
        try:
            await self._follow_log()
        except StoreError as error:
            with self._lock:
                self._follow_error = error
                callbacks = self._on_failure[:]
                for closing in self._waiting.values():
                    with suppress(InvalidStateError):
                        closing.set_exception(error)
            for callback in callbacks:
                callback(error)
            self.mailbox.wake()
            await heartbeats
        finally:
            await end_tasks(heartbeats, earlier_messages)

    async def _load_messages(self) -> None:
        async def load() -> None:
            self.mailbox.load(await untaken_messages_of(self._log, self._task_id, self._identity))

        while True:
            await self._messages_wanted.wait()
            self._messages_wanted.clear()
            while not self.mailbox.is_loaded:
                # An error that a retry does not fix also ends the following of the log, which reports it.
                with suppress(StoreError):
                    await self._repeat_after_errors(load)
                await asyncio.sleep(READ_INTERVAL)

    async def _send_heartbeat_when_due(self) -> None:
        idle_seconds = time.monotonic() - self._last_event_at
        if idle_seconds < self._interval and not self._marked_interrupted.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._marked_interrupted.wait(), self._interval - idle_seconds)
            return
        self._marked_interrupted.clear()
        self.touch()
        try:
            await asyncio.shield(self._emitter.emit_runner_heartbeat(self._task_id, self._span_id))
        except StoreError as error:
            if not error.retryable:
                # The log accepts no further events of this run.
                await asyncio.Event().wait()

    async def _follow_log(self) -> None:
        store = self._log
        if isinstance(store, Remote):
            await self._repeat_after_errors(self._follow)
            return

        async def read_new() -> None:
            await asyncio.shield(self._read_new(store))

        while True:
            await self._pause()
            with suppress(StoreUnavailable):
                await self._repeat_after_errors(read_new)

    async def _repeat_after_errors(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work`, and repeat it after errors that are not StoreErrors, so that a bug does not end the lifeline."""
        loop = Loop("lifeline")
        while True:
            try:
                await work()
                return
            except StoreError:
                raise
            except Exception as error:
                await loop.record_failure(error)

    async def _follow(self) -> None:
        while True:
            try:
                async for event in events_of(self._log, self._task_id, since_seq=self._cursor, identity=self._identity):
                    self._cursor = event.seq
                    self._handle(event)
            except Conflict:
                # The server has another history, which may be an earlier state of the same task.
                task = await task_of(self._log, self._task_id)
                check_identity(self._task_id, self._identity, task.identity)
                self._start_over(task.latest_seq)
                await self._pause()

    def _start_over(self, latest_seq: int) -> None:
        """Read the events of the run again, because the log was restored to an earlier state that ends here."""
        self._cursor = min(self._since_seq, latest_seq)
        if self.mailbox.is_loaded:
            self._messages_wanted.set()
        self.mailbox.start_over()

    async def _read_new(self, store: Store) -> None:
        while True:
            async with store.read() as view:
                head = await view.head(self._task_id)
                check_identity(self._task_id, self._identity, head.identity)
                if head.latest_seq < self._cursor:
                    self._start_over(head.latest_seq)
                if head.latest_seq == self._cursor:
                    return
                # Most events are log lines of the run itself, so do not decode them.
                events = await view.changing_events(self._task_id, self._cursor, head.latest_seq, self._page)
            more = len(events) == self._page
            if events:
                self._page = rows_within(PAGE_BYTES, len(events), sum(map(payload_bytes, events)), PAGE_SIZE)
            for event in events:
                self._cursor = event.seq
                self._handle(event)
            if not more:
                self._cursor = max(self._cursor, head.latest_seq)
                return

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(WAITING_READ_INTERVAL if self._waiting else READ_INTERVAL):
                await self._waiting_changed.wait()
        self._waiting_changed.clear()

    def _handle(self, event: Event) -> None:
        if self._awaits_spawn:
            self._awaits_spawn = not (event.event_type == "runner_spawn" and event.span_id == self._span_id)
            return
        if is_claim(event):
            return
        if event.event_type == "cancel_requested":
            with self._lock:
                self._cancel, callbacks = event, self._on_cancel[:]
                self._settle(event)
            self.mailbox.wake()
            for callback in callbacks:
                try:
                    callback()
                except Exception as error:
                    report(logging.ERROR, "a cancel callback failed", error, task_id=self._task_id)
        elif event.event_type in ("permission_response", "permission_cleared"):
            # A request that an interruption closed is reopened by the run's next event.
            if event.payload.get("cause") != "interrupted":
                with self._lock:
                    self._settle(event)
        elif event.event_type == "message_sent":
            self.mailbox.deliver(messages.message_of(event))
        elif event.event_type == "message_taken":
            self.mailbox.acknowledge(messages.number_in(event.payload))
        elif event.actor == "supervisor" and event.payload.get("status") == "interrupted":
            self._marked_interrupted.set()

    def _settle(self, event: Event) -> None:
        if event.event_type == "cancel_requested":
            closed = list(self._waiting)
        else:
            # A response without a request id closes the newest request.
            request = str(event.payload.get("request_id") or next(reversed(self._waiting), ""))
            closed = [request] if request in self._waiting else []
        for request_id in closed:
            # The waiting caller may cancel the future at any moment.
            with suppress(InvalidStateError):
                self._waiting.pop(request_id).set_result(event)
