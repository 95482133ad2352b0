"""Writes our own standard output and error in threads, so that a slow reader delays nothing else."""

from __future__ import annotations

import asyncio
import os
import select
import tempfile
import threading
from collections import deque
from contextlib import suppress
from typing import BinaryIO

MAX_MEMORY_BYTES = 1024 * 1024
"""Maximum number of bytes that wait in memory. Further bytes wait in a temporary file."""

MAX_FILE_BYTES = 256 * 1024 * 1024
"""Maximum number of bytes that wait in the temporary file. Further bytes are dropped."""

WRITE_BYTES = 64 * 1024


class Echo:
    """Writes to one file descriptor, in order, in its own thread. `write` never waits.

    If the reader has closed it, output is dropped. `omitted` is the number of bytes that were dropped for lack of room.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._ready = threading.Condition()
        self._memory: deque[bytes] = deque()
        self._size = 0
        self._file: BinaryIO | None = None
        self._read = self._written = 0
        self._busy = self._gone = False
        self._progress = 0
        self._waiter: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self.omitted = 0
        threading.Thread(target=self._run, name=f"signalbox-echo-{fd}", daemon=True).start()

    def write(self, data: bytes) -> None:
        """Write `data` after all earlier data."""
        with self._ready:
            if not data or self._gone:
                return
            if self._written == self._read and self._size + len(data) <= MAX_MEMORY_BYTES:
                self._memory.append(data)
                self._size += len(data)
            elif not self._spill(data):
                self.omitted += len(data)
            self._ready.notify()

    def notice(self, text: str) -> None:
        """Write one line for the person at the terminal."""
        self.write(f"signalbox: {' '.join(text.split())}\n".encode(errors="replace"))

    async def finish(self, timeout: float | None) -> None:
        """Wait until everything is written or the reader is gone, at most `timeout` seconds without progress."""
        event = asyncio.Event()
        with self._ready:
            self._waiter = (asyncio.get_running_loop(), event)
            idle = self._idle
        while not idle:
            before = self._progress
            try:
                async with asyncio.timeout(timeout):
                    await event.wait()
                return
            except TimeoutError:
                idle = self._progress == before

    def give_up(self) -> None:
        """End the wait of `finish`, and stop writing."""
        with self._ready:
            self._gone = True
            self._notify_waiter()

    @property
    def _idle(self) -> bool:
        return self._gone or not (self._busy or self._memory or self._written > self._read)

    def _spill(self, data: bytes) -> bool:
        """Write `data` to the temporary file. Return False if the file or the disk is full."""
        if self._written + len(data) > MAX_FILE_BYTES:
            return False
        try:
            self._file = self._file or tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
            self._file.seek(self._written)
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
        except OSError:
            return False
        self._written += len(data)
        return True

    def _next_data(self) -> bytes:
        if self._memory:
            data = b"".join(self._memory)
            self._memory.clear()
            self._size = 0
            return data
        assert self._file is not None
        self._file.seek(self._read)
        data = self._file.read(min(WRITE_BYTES, self._written - self._read))
        self._read += len(data)
        if self._read == self._written or not data:
            self._read = self._written = 0
            self._file.truncate(0)
        return data

    def _run(self) -> None:
        while True:
            with self._ready:
                self._busy = False
                if self._idle:
                    self._notify_waiter()
                while not self._memory and self._written == self._read:
                    self._ready.wait()
                if self._gone:
                    return
                self._busy = True
                try:
                    data = self._next_data()
                except OSError:
                    data = b""
                    self._read = self._written = 0
            if not self._write_all(data):
                self.give_up()
                return

    def _write_all(self, data: bytes) -> bool:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._fd, view[:WRITE_BYTES]) :]
                self._progress += 1
            except BlockingIOError:
                select.select([], [self._fd], [])
            except OSError:
                return False
        return True

    def _notify_waiter(self) -> None:
        if self._waiter is not None:
            loop, event = self._waiter
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(event.set)


class Echoes:
    """The echoes of our standard output and error. They are one echo if both are the same terminal, pipe or file."""

    def __init__(self) -> None:
        self.errors = Echo(2)
        self.output = self.errors if same_file(1, 2) else Echo(1)

    def of(self, stream: str) -> Echo:
        """Return the echo for a command's `stream`."""
        return self.errors if stream == "stderr" else self.output

    async def finish(self, timeout: float | None) -> None:
        """See `Echo.finish`. Reports omitted bytes."""
        await self.output.finish(timeout)
        if omitted := self.output.omitted:
            self.errors.notice(
                f"{omitted} bytes of output are not shown here because they were not read in time; the log has them"
            )
        await self.errors.finish(timeout)

    def give_up(self) -> None:
        """End all waits for readers."""
        self.output.give_up()
        self.errors.give_up()


def same_file(one: int, other: int) -> bool:
    """Return whether two descriptors are the same terminal, pipe or file."""
    try:
        return os.path.samestat(os.fstat(one), os.fstat(other))
    except OSError:
        return False
