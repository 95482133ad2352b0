"""Run the command `signalbox` in a separate process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from tempfile import TemporaryFile
from typing import IO, Any

from tests.support.forked_process import CAN_FORK, ForkedProcess
from tests.support.waiting import wait_until

RUN = (sys.executable, "-m", "signalbox")


def environment(**variables: str) -> dict[str, str]:
    """Return the environment without any SIGNALBOX_ variable, plus the given ones."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALBOX_")}
    return {**clean, **variables}


def signalbox(
    *arguments: str, input: str | None = None, timeout: float = 60, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a command line to its end. `more` are environment variables."""
    if not _can_fork(arguments, more):
        return subprocess.run(
            [*RUN, *arguments],
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=environment(**more),
        )
    with TemporaryFile("w+") as given, TemporaryFile("w+") as output, TemporaryFile("w+") as errors:
        given.write(input or "")
        given.seek(0)
        streams = (given.fileno(), output.fileno(), errors.fileno())
        process = ForkedProcess(*arguments, environment=environment(**more), streams=streams)
        try:
            code = process.wait(timeout)
        finally:
            process.send_signal(signal.SIGKILL)
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(arguments, code, output.read(), errors.read())


def start(
    *arguments: str, stdout: int | IO[Any] = subprocess.PIPE, **variables: str
) -> subprocess.Popen[str] | ForkedProcess:
    """Start a command line. `variables` are environment variables."""
    if stdout == subprocess.PIPE and _can_fork(arguments, variables):
        return ForkedProcess(*arguments, environment=environment(**variables), separate=True)
    return subprocess.Popen(
        [*RUN, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**variables),
    )


def _can_fork(arguments: Iterable[str], variables: Iterable[str]) -> bool:
    # A variable such as PYTHONIOENCODING needs a new interpreter, and a very long command line a real one.
    return CAN_FORK and all(name.startswith("SIGNALBOX_") for name in variables) and len("".join(arguments)) <= 10_000


def wait_until_gone(pid: int, timeout: float = 60) -> None:
    """Wait until a process has ended."""
    wait_until(lambda: not is_alive(pid), timeout, f"process {pid} did not end")


def is_alive(pid: int) -> bool:
    """Return whether a process exists and has not ended."""
    try:
        state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout
    except OSError:
        return os.path.exists(f"/proc/{pid}")
    return bool(state.strip()) and not state.startswith("Z")
