"""The parent of the workers. It binds the socket once, and keeps `workers` processes that accept its connections.

- A worker that ends on its own is replaced: at once, or after a growing pause if workers keep ending.
- SIGHUP replaces the workers one by one. A new worker is ready before the old one stops accepting connections.
  If the terminal of the server was closed, SIGHUP stops it instead, as it stops every program that ran there.
- SIGTERM and SIGINT stop all workers as they stop a single process. A second signal ends them at once.

The parent answers no requests and opens no store, so it has nothing that could fail.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence

import structlog

from signalbox.store.loops import end_tasks
from signalbox.webapp.http.listening import announce
from signalbox.webapp.settings import Settings
from signalbox.webapp.workers.child import Child, StartFailed
from signalbox.webapp.workers.slot import Slot

TRIES = 3
"""Failed starts in a row, of each worker, after which the server gives up if no worker is ready."""

STOP_TIMEOUT = 6.0
"""Seconds, after `drain_delay`, within which workers must end when the server stops."""

REPLACE_TIMEOUT = 40.0
"""Seconds within which a replaced worker must have finished its requests."""

log = structlog.get_logger("signalbox.workers")


def serve(settings: Settings, listening: Sequence[socket.socket]) -> int:
    """Serve with workers until SIGTERM or SIGINT, and return the exit code. Prints the address when all are ready."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    ended_by = asyncio.run(Parent(settings, listening, os.environ).run())
    for number, handler in handlers.items():
        signal.signal(number, handler)
    if isinstance(ended_by, str):
        print(f"signalbox: no worker could start: {ended_by}", file=sys.stderr)
        return 1
    signal.raise_signal(ended_by)
    return 0


class Parent:
    """Keeps the workers of the listening sockets. `environment` is that of the server."""

    def __init__(self, settings: Settings, listening: Sequence[socket.socket], environment: Mapping[str, str]) -> None:
        self._settings, self._listening = settings, listening
        self._environment = dict(environment) | settings.variables(environment)
        self._slots = [
            Slot(number, self._start, self._changed, REPLACE_TIMEOUT) for number in range(1, settings.workers + 1)
        ]
        self._restart = asyncio.Event()
        self._end: asyncio.Future[signal.Signals | str]
        self._announced = False
        self._following: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> signal.Signals | str:
        """Keep the workers until a signal ends the server. Return the signal, or why no worker can start."""
        loop = asyncio.get_running_loop()
        self._end = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up, _has_terminal())
        keeping = [asyncio.create_task(slot.keep()) for slot in self._slots]
        keeping.append(asyncio.create_task(self._restart_on_request()))
        end = await self._end
        await end_tasks(*keeping, *self._following.values())
        # The workers may still accept connections. When the last of them has stopped, none must wait for this process.
        for listening in self._listening:
            listening.close()
        await self._stop_all()
        return end

    async def _start(self, number: int) -> Child:
        return await Child.start(number, self._listening, self._environment)

    def _changed(self) -> None:
        """Tell all workers the facts that they show. Give up if none is ready and none can start."""
        ready = [slot.child for slot in self._slots if slot.child is not None]
        facts = {"workers": len(ready), "restarts": sum(slot.restarts for slot in self._slots)}
        for child in ready:
            child.tell(**facts)
            if child.pid not in self._following:
                self._following[child.pid] = asyncio.create_task(self._follow(child))
        if not self._announced and ready and all(slot.child or slot.failures for slot in self._slots):
            self._announced = True
            announce(self._listening, self._settings.root_path)
        if all(slot.failures >= TRIES for slot in self._slots) and not self._end.done():
            self._end.set_result(self._slots[0].reason)

    async def _follow(self, child: Child) -> None:
        """Pass the messages between workers on."""
        async for message in child.messages():
            ready = {slot.child.pid: slot.child for slot in self._slots if slot.child is not None}
            if key := message.get("collect"):
                for pid, other in ready.items():
                    if pid != child.pid:
                        other.tell(report=key)
            elif asking := ready.get(int(message.get("reported", "0").partition("/")[0])):
                asking.tell(**message, worker=child.number)
        del self._following[child.pid]

    def _hang_up(self, had_terminal: bool) -> None:
        if had_terminal and not _has_terminal():
            self._stop(signal.SIGHUP)
        else:
            self._restart.set()

    def _stop(self, number: signal.Signals) -> None:
        if self._end.done():
            for child in self._children():
                child.kill()
        else:
            self._end.set_result(number)

    def _children(self) -> list[Child]:
        return [child for slot in self._slots for child in slot.processes]

    async def _stop_all(self) -> None:
        timeout = self._settings.drain_delay + STOP_TIMEOUT
        await asyncio.gather(*(child.stop(timeout, stopping=True) for child in self._children()))

    async def _restart_on_request(self) -> None:
        while True:
            await self._restart.wait()
            self._restart.clear()
            log.info("replacing all workers")
            try:
                for slot in self._slots:
                    await slot.replace()
            except StartFailed as error:
                log.error("the restart stops here, because a new worker cannot start", reason=str(error))
            else:
                log.info("all workers were replaced")


def _has_terminal() -> bool:
    """Return whether this process has a controlling terminal that is still open."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
