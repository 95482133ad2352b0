"""A worker process: `python -m signalbox.webapp.workers.worker NUMBER LISTENING CONTROL`, started by its parent.

LISTENING and CONTROL are file descriptors: the listening socket, and the socket for messages (see `workers.child`). The
settings are in the environment.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

from signalbox.webapp import logs
from signalbox.webapp.http.process_info import ProcessInfo
from signalbox.webapp.server import Ending, run
from signalbox.webapp.settings import Settings

ORPHAN_TIMEOUT = 6.0
"""Seconds within which a worker must end after its parent, even if its event loop is blocked."""


class Control:
    """The worker's end of the socket to its parent. A thread reads it, so that a blocked event loop cannot prevent it.

    `ending` is the reason why the process would end now.
    """

    def __init__(self, connection: socket.socket, process: ProcessInfo) -> None:
        self.ending: Ending = "replaced"
        self._connection, self._process = connection, process

    def send(self, **message: object) -> None:
        """Send a message to the parent."""
        self._connection.sendall(json.dumps(message).encode() + b"\n")

    def follow(self) -> None:
        """Read the messages of the parent in a thread. End the process when the parent has ended."""
        threading.Thread(target=self._read, name="signalbox-control", daemon=True).start()

    def _read(self) -> None:
        try:
            for line in self._connection.makefile():
                message = json.loads(line)
                if message.get("stopping"):
                    self.ending = "stopped"
                self._process.workers = message.get("workers", self._process.workers)
                self._process.restarts = message.get("restarts", self._process.restarts)
        except OSError:
            pass  # A parent that was killed may reset the connection.
        self.ending = "orphaned"
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(ORPHAN_TIMEOUT)
        os._exit(1)


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


def main(number: int, listening: socket.socket, connection: socket.socket) -> int:
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
        run(settings, listening, process, lambda: control.send(ready=True), lambda: control.ending, watched)
    finally:
        if reports and reports[0].message:
            control.send(failed=reports[0].message)
    return 0


if __name__ == "__main__":
    _number, _listening, _connection = map(int, sys.argv[1:])
    for _descriptor in (_listening, _connection):
        os.set_inheritable(_descriptor, False)
    sys.exit(main(_number, socket.socket(fileno=_listening), socket.socket(fileno=_connection)))
