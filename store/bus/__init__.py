"""Wake-ups across processes: after its commits a process tells the others that the log may have grown.

A wake-up carries no data, and is sent after the commit, outside its transaction. Any number of commits share one
wake-up, because a process sends at most one per `INTERVAL`. A lost wake-up delays events until the next poll
(`store.wake`) and loses none, so a bus that fails is reported and changes nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress

from signalbox.store.bus.transport import BusUnavailable, Transport
from signalbox.store.loop_thread import LoopThread
from signalbox.store.loops import end_tasks

INTERVAL = 0.005
"""Seconds between two wake-ups that one process sends."""

RETRY = 1.0
"""Seconds until a failed call of the bus is tried again. The first failure is tried again at once."""

CLOSE_TIMEOUT = 1.0
"""Seconds that each step of `close()` may take: sending the last wake-up, ending the tasks, closing the connections."""

log = logging.getLogger("signalbox.bus")


class Bus:
    """Sends wake-ups for the commits of this process, and calls the watches for those of other processes.

    Its methods may be called in any thread. The connections belong to an event loop in a thread of its own, which
    starts at the first commit or watch.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._thread = LoopThread("signalbox-bus")
        self._origin = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._pending = self._sending = self._listening = False
        self._sender: asyncio.Task[None] | None = None
        self._listener: asyncio.Task[None] | None = None
        self._replacing = asyncio.Lock()
        self._next = 0.0
        self._watches: set[BusWatch] = set()
        self._faults: dict[str, str] = {}

    @property
    def working(self) -> bool:
        """Whether the last attempts to send and to listen succeeded."""
        return not self._faults

    def committed(self) -> None:
        """Wake the other processes soon. Call it after each commit."""
        if self._pending:
            return  # The waiting wake-up is sent after this commit.
        with self._lock:
            self._pending = True
            start, self._sending = not self._sending, True
        if start:
            self._thread.start(self._send())

    def watch(self, callback: Callable[[], None]) -> BusWatch:
        """Call `callback` in the running event loop after commits of other processes. See `Store.watch`."""
        watch = BusWatch(self._watches, callback)
        with self._lock:
            self._watches.add(watch)
            start, self._listening = not self._listening, True
        if start:
            self._thread.start(self._listen())
        return watch

    def use(self, transport: Transport) -> None:
        """Send and listen through another transport, because the store has opened another database."""
        self._thread.start(self._replace(transport))

    def close(self) -> None:
        """Send the pending wake-up, then close the connections."""
        if self._thread.running:
            self._thread.wait(self._finish())
            self._thread.stop()

    async def _send(self) -> None:
        loop, self._sender = asyncio.get_running_loop(), asyncio.current_task()
        while True:
            if (wait := self._next - loop.time()) > 0:
                await asyncio.sleep(wait)
            self._pending, self._next = False, loop.time() + INTERVAL
            try:
                await self._transport.publish(self._origin)
            except Exception as error:
                self._next += self._failed("send", error)
                self._pending = True
            else:
                self._worked("send")
            with self._lock:
                if not self._pending:
                    self._sending = False
                    return

    async def _listen(self) -> None:
        self._listener = asyncio.current_task()
        while True:
            try:
                async with self._transport.listen() as origins:
                    self._worked("listen")
                    self._wake()  # There may have been commits before this process listened.
                    async for origin in origins:
                        if origin != self._origin:
                            self._wake()
            except Exception as error:
                await asyncio.sleep(self._failed("listen", error))

    async def _replace(self, transport: Transport) -> None:
        async with self._replacing:
            before, self._transport = self._transport, transport
            sender, listener = self._sender, self._listener
            await end_tasks(sender, listener)
            await before.aclose()
            if sender is not None and sender.cancelled():
                self._sender = asyncio.create_task(self._send())
            if listener is not None:
                self._listener = asyncio.create_task(self._listen())

    def _wake(self) -> None:
        with self._lock:
            watches = list(self._watches)
        for watch in watches:
            watch.call()

    def _failed(self, doing: str, error: Exception) -> float:
        """Record a failure, and return the seconds until the next attempt."""
        first = doing not in self._faults
        self._faults[doing] = str(error)
        if first:
            trace = None if isinstance(error, BusUnavailable) else error
            message = "cannot %s on the bus; events of other processes arrive by polling: %s"
            log.warning(message, doing, error, exc_info=trace)
        return 0.0 if first else RETRY

    def _worked(self, doing: str) -> None:
        if self._faults.pop(doing, None) is not None:
            log.info("the bus works again (%s)", doing)

    async def _finish(self) -> None:
        if self._sender is not None and self.working:
            await asyncio.wait({self._sender}, timeout=CLOSE_TIMEOUT)
        loop = asyncio.get_running_loop()
        others, deadline = asyncio.all_tasks() - {asyncio.current_task()}, loop.time() + CLOSE_TIMEOUT
        while others and loop.time() < deadline:
            # A client library may swallow a cancellation in the middle of a connect, so it is repeated.
            for task in others:
                task.cancel()
            _, others = await asyncio.wait(others, timeout=CLOSE_TIMEOUT / 10)
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._transport.aclose()


class BusWatch:
    """Implements `Watch` for a bus."""

    def __init__(self, watches: set[BusWatch], callback: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._watches = watches
        self._callback = callback
        self._ignoring = False

    def call(self) -> None:
        """Call the callback in its event loop. Called in the thread of the bus."""
        if not self._ignoring:
            # The loop may be closed at any moment, so checking `is_closed()` first would not help.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._call)

    def ignore(self) -> None:
        """Stop calling the callback until `listen()` is called."""
        self._ignoring = True

    def listen(self) -> None:
        """Call the callback for later wake-ups again."""
        self._ignoring = False

    def close(self) -> None:
        """Stop calling the callback for good."""
        self._ignoring = True
        self._watches.discard(self)

    def _call(self) -> None:
        if not self._ignoring:
            self._callback()
