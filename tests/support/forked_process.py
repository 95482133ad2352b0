"""A `signalbox` command line in a process forked from one that has done the imports; see fork_server.py."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from signal import Signals
from typing import TextIO

ROOT = Path(__file__).parent.parent.parent

CAN_FORK = sys.platform == "linux"
"""Whether the system supports forking without exec. On others, system libraries may fail in such a process."""


class ForkedProcess:
    """The part of `subprocess.Popen` that tests use.

    `streams` are the file descriptors of stdin, stdout and stderr, which the caller closes. By default, stdin is empty
    and `self.stdout` reads both outputs, or with `separate` only the first one.
    """

    def __init__(
        self,
        *arguments: str,
        environment: Mapping[str, str],
        streams: tuple[int, int, int] | None = None,
        separate: bool = False,
    ) -> None:
        self.stdout: TextIO | None = None
        self.stderr: TextIO | None = None
        self.returncode: int | None = None
        self._exited, exited = os.pipe()
        own = {exited}
        if streams is None:
            self.stdout, output = _pipe()
            self.stderr, errors = _pipe() if separate else (None, output)
            streams = (os.open(os.devnull, os.O_RDONLY), output, errors)
            own |= set(streams)
        command = {"arguments": arguments, "environment": dict(environment), "folder": os.getcwd()}
        try:
            self.pid = _fork_server().fork(command, streams, exited)
        finally:
            for descriptor in own:
                os.close(descriptor)

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs."""
        return self._poll(0)

    def wait(self, timeout: float = 60) -> int:
        """Wait for the exit code and return it. Raise subprocess.TimeoutExpired after `timeout` seconds."""
        code = self._poll(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
        return code

    def send_signal(self, number: Signals) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(Signals.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(Signals.SIGKILL)

    def communicate(self, timeout: float = 60) -> tuple[str, str]:
        """Read both outputs to their end, wait for the exit, and return the outputs."""
        with ThreadPoolExecutor(2) as pool:
            output, errors = pool.submit(_read_rest, self.stdout), pool.submit(_read_rest, self.stderr)
            try:
                self.wait(timeout)
                return output.result(timeout), errors.result(timeout)
            finally:
                self.kill()

    def _poll(self, timeout: float) -> int | None:
        if self.returncode is None and select.select([self._exited], [], [], timeout)[0]:
            self.returncode = int(os.read(self._exited, 16))
            os.close(self._exited)
        return self.returncode


def _pipe() -> tuple[TextIO, int]:
    readable, written = os.pipe()
    return os.fdopen(readable, encoding="utf-8"), written


def _read_rest(stream: TextIO | None) -> str:
    if stream is None or stream.closed:
        return ""
    with stream:
        return stream.read()


class _ForkServer:
    """The connection to the fork server. Closing it, also by the end of this process, ends the server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests, server_end = socket.socketpair()
        command = [sys.executable, "-m", "tests.support.fork_server", str(server_end.fileno())]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, pass_fds=[server_end.fileno()])
        server_end.close()

    def fork(self, command: Mapping[str, object], streams: tuple[int, int, int], exited: int) -> int:
        """Run a command line in a new process and return its process id."""
        with self._lock:
            socket.send_fds(self._requests, [json.dumps(command).encode()], [*streams, exited])
            return int(self._requests.recv(16))


@cache
def _fork_server() -> _ForkServer:
    return _ForkServer()
