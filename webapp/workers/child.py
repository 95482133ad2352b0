"""A worker as its parent sees it: a process, and a socket for messages in both directions.

Each message is a line of JSON. The worker sends `{"ready": true}` or `{"failed": "the reason"}` once. The parent sends
the fields of `ProcessInfo` that it knows. Before it asks the worker to stop, it sends `{"stopping": true}` if the whole
server stops, and `{"stopping": false}` if another worker takes its place. When the parent ends, however it ends, the
worker reads the end of the socket and stops too.

For its metrics, a worker sends `{"collect": KEY}`. The parent sends `{"report": KEY}` to the others, and passes their
answers on: `{"reported": KEY, "worker": NUMBER, "text": METRICS}`. A KEY begins with the process id of the worker that
asked.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog

START_TIMEOUT = 60.0
"""Seconds within which a worker must be ready."""


MAX_MESSAGE_BYTES = 4 * 1024 * 1024

log = structlog.get_logger("signalbox.workers")


class StartFailed(Exception):
    """A worker could not start. The message says why."""


class Child:
    """A worker process that was started as number `number`."""

    def __init__(
        self,
        number: int,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.number = number
        self._process, self._reader, self._writer = process, reader, writer
        self._started = time.monotonic()
        self._asked_to_stop = False

    @classmethod
    async def start(cls, number: int, listening: Sequence[socket.socket], environment: Mapping[str, str]) -> Child:
        """Start a worker process, which need not be ready yet. Raises OSError."""
        own, other = socket.socketpair()
        # A new interpreter, so that a restart loads the code that is installed now. It has a session of its own, so
        # that Ctrl-C reaches it only through its parent. -P: see `detached_run.start`.
        command = [sys.executable, "-P", "-m", "signalbox.webapp.workers.worker"]
        descriptors = [*(one.fileno() for one in listening), other.fileno()]
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                str(number),
                *map(str, descriptors),
                stdin=asyncio.subprocess.DEVNULL,
                env=environment,
                pass_fds=descriptors,
                start_new_session=True,
            )
        except OSError:
            own.close()
            raise
        finally:
            other.close()
        return cls(number, process, *await asyncio.open_connection(sock=own, limit=MAX_MESSAGE_BYTES))

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def age(self) -> float:
        """The seconds since the start."""
        return time.monotonic() - self._started

    async def ready(self) -> None:
        """Wait until the worker answers requests. If it cannot, end it and raise StartFailed."""
        try:
            async with asyncio.timeout(START_TIMEOUT):
                line = await self._reader.readline()
        except TimeoutError:
            self.kill()
            await self.ended()
            raise StartFailed(f"it was not ready within {START_TIMEOUT:g} s") from None
        message = json.loads(line) if line else {}
        if message.get("ready"):
            return
        ended = await self.ended()
        raise StartFailed(message.get("failed") or f"it ended before it was ready: {ended}")

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """Yield the messages of a ready worker until it ends."""
        # A worker that was killed may leave half a message.
        with suppress(OSError, ValueError):
            async for line in self._reader:
                yield json.loads(line)

    async def ended(self) -> str:
        """Wait until the process has ended, and return how."""
        code = await self._process.wait()
        self._writer.close()
        if code >= 0:
            return f"exit code {code}"
        with suppress(ValueError):
            return f"signal {signal.Signals(-code).name}"
        return f"signal {-code}"

    def tell(self, **facts: object) -> None:
        """Send a message to the worker."""
        if not self._writer.is_closing():
            self._writer.write(json.dumps(facts).encode() + b"\n")

    async def stop(self, timeout: float, *, stopping: bool) -> None:
        """Let the worker finish its requests for at most `timeout` seconds, then end it.

        `stopping` says whether the whole server stops. If not, another worker takes the place of this one.
        """
        self.tell(stopping=stopping)
        # A second signal would end the requests of a worker that is being replaced at once.
        if not self._asked_to_stop:
            self._asked_to_stop = True
            with suppress(ProcessLookupError):
                self._process.terminate()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self.ended()
                return
        log.warning("a worker did not stop in time and was killed", pid=self.pid, worker=self.number, seconds=timeout)
        self.kill()
        await self.ended()

    def kill(self) -> None:
        """End the worker at once."""
        with suppress(ProcessLookupError):
            self._process.kill()
