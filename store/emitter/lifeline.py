"""What a run does beside its work: it says that it is alive, and it hears what people ask of it."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress

from signalbox.store.contract import Store
from signalbox.store.emitter.vocabulary import AsyncEmitter
from signalbox.store.errors import StoreError, StoreUnavailable
from signalbox.store.events import Event, is_claim
from signalbox.store.log import Log, events_of
from signalbox.store.loops import Loop, report

PAGE = 1000
"""Events read at once."""

PAUSE, ASKED_PAUSE = 0.25, 0.02
"""Seconds between two looks at a store, and while an answer is awaited. Not at each commit: most are the run's own."""


class Lifeline:
    """A daemon thread with a loop of its own, from a run's spawn to its exit.

    It appends a `runner_heartbeat` whenever `interval` seconds passed without `touch()`, and at once when the
    supervisor takes the run for dead. It follows the run's log after `since_seq` for `cancel_requested` and for what
    closes the requests given to `expect`.
    """

    def __init__(self, log: Log, task_id: str, span_id: str, since_seq: int, interval: float) -> None:
        self._log, self._task_id, self._span_id = log, task_id, span_id
        self._cursor, self._interval = since_seq, interval
        self._last = time.monotonic()
        self._asked: dict[str, Future[Event]] = {}
        self._cancel: Event | None = None
        self._deaf: StoreError | None = None
        self._on_cancel: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._asking = asyncio.Event()
        self._doubted = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=f"signalbox-lifeline-{task_id}", daemon=True)
        self._thread.start()

    def touch(self) -> None:
        """Something was just emitted: no heartbeat is due for another interval."""
        self._last = time.monotonic()

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked the run to stop."""
        return self._cancel is not None

    @property
    def deaf(self) -> bool:
        """Whether nothing that people say is heard any more."""
        return self._deaf is not None

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Call `callback`, from the lifeline's thread, once somebody asks the run to stop."""
        with self._lock:
            self._on_cancel.append(callback)
            already = self.cancelled
        if already:
            callback()

    def expect(self, request_id: str) -> Future[Event]:
        """The event that will close this permission request, or the one that asks the run to stop.

        Raises the StoreError because of which nothing is heard any more.
        """
        answer: Future[Event] = Future()
        with self._lock:
            if self._deaf is not None:
                raise self._deaf
            self._asked[request_id] = answer
            if self._cancel is not None:
                self._settle(self._cancel)
        self._in_loop(self._asking.set)
        return answer

    def forget(self, request_id: str) -> None:
        """Nobody waits for this request any more."""
        with self._lock:
            self._asked.pop(request_id, None)

    def stop(self) -> None:
        """End the thread; nothing is appended after this returns."""
        self._in_loop(lambda: self._attending.cancel())
        self._thread.join()

    def _in_loop(self, call: Callable[[], object]) -> None:
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._attending = self._loop.create_task(self._attend())
        try:
            with suppress(asyncio.CancelledError):
                self._loop.run_until_complete(self._attending)
            # What was on its way when we were stopped is shielded, and comes to its end before the loop does.
            under_way = asyncio.gather(*asyncio.all_tasks(self._loop), return_exceptions=True)
            self._loop.run_until_complete(under_way)
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()

    async def _attend(self) -> None:
        beating = asyncio.create_task(Loop("heartbeats").run(self._beat))
        try:
            await self._listen()
        except StoreError as error:
            with self._lock:
                self._deaf = error
                for answer in self._asked.values():
                    with suppress(InvalidStateError):
                        answer.set_exception(error)
            await beating
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    async def _beat(self) -> None:
        quiet = time.monotonic() - self._last
        if quiet < self._interval and not self._doubted.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._doubted.wait(), self._interval - quiet)
            return
        self._doubted.clear()
        self.touch()
        try:
            await asyncio.shield(AsyncEmitter(self._log).emit_runner_heartbeat(self._task_id, self._span_id))
        except StoreError as error:
            if not error.retryable:
                # The log takes nothing of this run any more.
                await asyncio.Event().wait()

    async def _listen(self) -> None:
        store = self._log
        if not isinstance(store, Store):
            await self._once_more(self._follow)
            return

        async def look() -> None:
            await asyncio.shield(self._look(store))

        while True:
            await self._pause()
            with suppress(StoreUnavailable):
                await self._once_more(look)

    async def _once_more(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it, and again after whatever is no error of the log: a mistake of ours must not make the run deaf."""
        loop = Loop("lifeline")
        while True:
            try:
                await work()
                return
            except StoreError:
                raise
            except Exception as error:
                await loop.failed(error)

    async def _follow(self) -> None:
        async for event in events_of(self._log, self._task_id, since_seq=self._cursor):
            self._cursor = event.seq
            self._hear(event)

    async def _look(self, store: Store) -> None:
        events: list[Event] | None = None
        while events is None or len(events) == PAGE:
            async with store.read() as view:
                events = await view.events(self._task_id, self._cursor, PAGE)
            for event in events:
                self._cursor = event.seq
                self._hear(event)

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(ASKED_PAUSE if self._asked else PAUSE):
                await self._asking.wait()
        self._asking.clear()

    def _hear(self, event: Event) -> None:
        if is_claim(event):
            return
        if event.event_type == "cancel_requested":
            with self._lock:
                self._cancel, callbacks = event, self._on_cancel[:]
                self._settle(event)
            for callback in callbacks:
                try:
                    callback()
                except Exception as error:
                    report(logging.ERROR, "a cancel callback failed", error, task_id=self._task_id)
        elif event.event_type in ("permission_response", "permission_cleared"):
            # A question that an interruption closed is open again as soon as the run says that it lives.
            if event.payload.get("cause") != "interrupted":
                with self._lock:
                    self._settle(event)
        elif event.actor == "supervisor" and event.payload.get("status") == "interrupted":
            self._doubted.set()

    def _settle(self, event: Event) -> None:
        if event.event_type == "cancel_requested":
            closed = list(self._asked)
        else:
            # An answer that names no request closes the newest one.
            named = event.payload.get("request_id") or next(reversed(self._asked), "")
            closed = [str(named)] if str(named) in self._asked else []
        for request_id in closed:
            # Whoever asked may have given up in this moment.
            with suppress(InvalidStateError):
                self._asked.pop(request_id).set_result(event)
