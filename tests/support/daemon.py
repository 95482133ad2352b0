"""Run installed programs that listen on a port, such as nginx and other proxies."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/opt/homebrew/bin"
START_TIMEOUT = 60


def find_program(*names: str) -> str:
    """Return the path of the first of these programs that is installed. Skip the test if none is."""
    path = next(filter(None, (shutil.which(name, path=PATH) for name in names)), None)
    if path is None:
        pytest.skip(f"{names[0]} is not installed here")
    return path


def free_port() -> int:
    """Return a loopback port on which no program listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def run_daemon(command: Sequence[str], port: int, folder: Path) -> Iterator[None]:
    """Run a command in a folder until the `with` block ends. The block starts once the port accepts connections."""
    log = folder / "output.log"
    places = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=output, cwd=folder, env=os.environ | places) as process,
    ):
        try:
            wait_for_port(port, process, log)
            yield
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a started process accepts connections on a port of this machine."""
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{process.args!r} does not start: {log.read_text()}") from None
            time.sleep(0.02)
