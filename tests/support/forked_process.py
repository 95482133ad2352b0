"""A `signalbox` command line in a process that is forked from one with the imports done; see fork_server.py."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from signal import Signals

ROOT = Path(__file__).parent.parent.parent

CAN_FORK = sys.platform == "linux"
"""Elsewhere system libraries may refuse to work in a process that is forked without an exec."""


class ForkedProcess:
    """Like `subprocess.Popen(…, stdout=PIPE, stderr=STDOUT, text=True)`, as far as tests need it."""

    def __init__(self, *arguments: str, environment: Mapping[str, str]) -> None:
        readable, output = os.pipe()
        self._exited, exited = os.pipe()
        self.stdout = os.fdopen(readable, encoding="utf-8")
        self.returncode: int | None = None
        command = {"arguments": arguments, "environment": dict(environment), "folder": os.getcwd()}
        try:
            self.pid = _fork_server().fork(command, output, exited)
        finally:
            os.close(output)
            os.close(exited)

    def poll(self) -> int | None:
        """The exit code, or None while the process runs."""
        return self._look(0)

    def wait(self, timeout: float) -> int:
        """The exit code. Raises subprocess.TimeoutExpired."""
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
        return code

    def send_signal(self, number: Signals) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def _look(self, timeout: float) -> int | None:
        if self.returncode is None and select.select([self._exited], [], [], timeout)[0]:
            self.returncode = int(os.read(self._exited, 16))
            os.close(self._exited)
        return self.returncode


class _ForkServer:
    """The connection to the fork server, which ends when it is closed, and so with this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests, theirs = socket.socketpair()
        command = [sys.executable, "-m", "tests.support.fork_server", str(theirs.fileno())]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
        theirs.close()

    def fork(self, command: Mapping[str, object], output: int, exited: int) -> int:
        """Run a command line in a new process; returns its process id."""
        with self._lock:
            socket.send_fds(self._requests, [json.dumps(command).encode()], [output, exited])
            return int(self._requests.recv(16))


@cache
def _fork_server() -> _ForkServer:
    return _ForkServer()
