"""A worker process: `python -m signalbox.webapp.workers.worker NUMBER LISTENING… CONTROL`, started by its parent.

LISTENING and CONTROL are file descriptors: the listening sockets, and the socket for messages (see `workers.child`).
The settings are in the environment.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from signalbox.store.events import new_id
from signalbox.webapp import logs
from signalbox.webapp.http.process_info import ProcessInfo
from signalbox.webapp.server import Ending, run
from signalbox.webapp.settings import Settings

ORPHAN_TIMEOUT = 6.0
"""Seconds within which a worker must end after its parent, even if its event loop is blocked."""

COLLECT_TIMEOUT = 1.0
"""Seconds that a scrape waits for the metrics of the other workers. A worker that is busy for longer is left out."""


class Control:
    """The worker's end of the socket to its parent. A thread reads it, so that a blocked event loop cannot prevent it.

    `ending` is why the process ends, once that is known.
    """

    def __init__(self, connection: socket.socket, process: ProcessInfo) -> None:
        self.ending: Ending | None = None
        self._connection, self._process = connection, process
        self._sending = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._collections: dict[str, tuple[dict[int, str], asyncio.Event]] = {}
        process.metrics_of_others = self._metrics_of_others

    def send(self, **message: object) -> None:
        """Send a message to the parent."""
        with self._sending:
            self._connection.sendall(json.dumps(message).encode() + b"\n")

    def ready(self) -> None:
        """Tell the parent that the server answers. Call it in the event loop."""
        self._loop = asyncio.get_running_loop()
        self.send(ready=True)

    def follow(self) -> None:
        """Read the messages of the parent in a thread. End the process when the parent has ended."""
        threading.Thread(target=self._read, name="signalbox-control", daemon=True).start()

    def _read(self) -> None:
        try:
            for line in self._connection.makefile():
                self._take(json.loads(line))
        except (OSError, ValueError):
            pass  # A parent that was killed may reset the connection, or leave half a message.
        self.ending = "orphaned"
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(ORPHAN_TIMEOUT)
        os._exit(1)

    def _take(self, message: dict[str, Any]) -> None:
        if "stopping" in message:
            self.ending = "stopped" if message["stopping"] else "replaced"
        self._process.workers = message.get("workers", self._process.workers)
        self._process.restarts = message.get("restarts", self._process.restarts)
        if ("report" in message or "reported" in message) and self._loop is not None:
            with suppress(RuntimeError):  # The loop is closed.
                self._loop.call_soon_threadsafe(self._exchange, message)

    def _exchange(self, message: dict[str, Any]) -> None:
        """Report the metrics of this worker, or take those of another one."""
        if key := message.get("report"):
            answer = partial(self.send, reported=key, text=self._process.metrics())
            asyncio.get_running_loop().run_in_executor(None, answer)
        elif collection := self._collections.get(message["reported"]):
            found, complete = collection
            found[message["worker"]] = message["text"]
            if len(found) >= self._process.workers - 1:
                complete.set()

    async def _metrics_of_others(self) -> dict[int, str]:
        """Return the metrics of the other workers that answer in time, by their numbers."""
        key = f"{os.getpid()}/{new_id()}"
        found, complete = self._collections[key] = {}, asyncio.Event()
        try:
            async with asyncio.timeout(COLLECT_TIMEOUT):
                await asyncio.to_thread(self.send, collect=key)
                if self._process.workers > 1:
                    await complete.wait()
        except (TimeoutError, OSError):
            pass
        finally:
            del self._collections[key]
        return found


class FailureReport:
    """An ASGI app that passes everything on, and stores the error of a failed startup in `message`."""

    def __init__(self, app: Any) -> None:
        self.message = ""
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        async def report(message: Any) -> None:
            if message["type"] == "lifespan.startup.failed":
                self.message = message["message"]
            await send(message)

        await self._app(scope, receive, report if scope["type"] == "lifespan" else send)


def main(number: int, listening: Sequence[socket.socket], connection: socket.socket) -> int:
    """Serve until the parent asks to stop, and return the exit code."""
    process = ProcessInfo(number)
    control = Control(connection, process)
    settings = Settings.from_environment()
    logs.configure(settings, worker=number)
    # uvicorn raises SIGTERM again after its shutdown. Exit then, instead of being killed, so that logs are written.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    control.follow()
    reports: list[FailureReport] = []

    def watched(app: Any) -> Any:
        reports.append(FailureReport(app))
        return reports[0]

    try:
        run(settings, listening, process, control.ready, lambda: control.ending, watched)
    finally:
        if reports and reports[0].message:
            control.send(failed=reports[0].message)
    return 0


if __name__ == "__main__":
    _number, *_descriptors = map(int, sys.argv[1:])
    for _descriptor in _descriptors:
        os.set_inheritable(_descriptor, False)
    *_listening, _connection = [socket.socket(fileno=_descriptor) for _descriptor in _descriptors]
    sys.exit(main(_number, _listening, _connection))
