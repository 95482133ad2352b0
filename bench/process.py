"""A child process of the bench: pinned to cores, controlled by lines, with CPU time and memory from /proc."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

Cores = Literal["server", "others", "any"]
ROOT = Path(__file__).parent.parent
_ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALBOX_")}


def cores_of(cores: Cores) -> set[int]:
    """Return the first allowed core for the server, and the others for everything else. A single core is shared."""
    if not hasattr(os, "sched_getaffinity"):
        return set()
    allowed = sorted(os.sched_getaffinity(0))
    if cores == "any" or len(allowed) == 1:
        return set(allowed)
    return {allowed[0]} if cores == "server" else set(allowed[1:])


@contextlib.contextmanager
def _pinned(cores: Cores) -> Iterator[None]:
    """Pin the children started in this block to the cores."""
    core_ids = cores_of(cores)
    if not core_ids:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, core_ids)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Process:
    """A child that prints JSON or text lines. It is a context manager that ends the child on exit."""

    def __init__(self, argv: Sequence[str], *, cores: Cores, env: Mapping[str, str] | None = None) -> None:
        self.argv = list(argv)
        with _pinned(cores):
            self._popen = subprocess.Popen(
                argv,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**_ENVIRONMENT, **(env or {})},
            )
        self.pid = self._popen.pid
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._popen.stdout
        for line in self._popen.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    def send(self, line: str) -> None:
        """Send one line to its standard input."""
        assert self._popen.stdin
        self._popen.stdin.write(line + "\n")
        self._popen.stdin.flush()

    def line(self, timeout: float = 30) -> str:
        """Return the next printed line. Raise RuntimeError if the child ends, TimeoutError after `timeout` seconds."""
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError(f"nothing from {self.argv} in {timeout:g} s") from None
        if line is None:
            raise RuntimeError(f"{self.argv} ended with {self._popen.wait()}")
        return line

    def read_json(self, key: str, timeout: float = 30) -> dict[str, Any]:
        """Return the next JSON line that has `key`, and skip lines without it."""
        deadline = time.monotonic() + timeout
        while True:
            line = self.line(max(0.0, deadline - time.monotonic()))
            if line.startswith("{"):
                message: dict[str, Any] = json.loads(line)
                if key in message:
                    return message

    def cpu_seconds(self) -> float:
        """Return the CPU time of the process and its children, with nanosecond resolution where the kernel has it."""
        return sum(_cpu_seconds(pid) for pid in _tree(self.pid))

    def rss_bytes(self) -> int:
        """Return the resident memory of the process and its children, in bytes."""
        return sum(_status_kib(pid, "VmRSS") for pid in _tree(self.pid)) * 1024

    def stop(self, timeout: float = 10) -> float:
        """Send SIGTERM, then SIGKILL after `timeout` seconds. Return how many seconds the exit took."""
        started_at = time.monotonic()
        if self.alive:
            self._popen.send_signal(signal.SIGTERM)
            try:
                self._popen.wait(timeout)
            except subprocess.TimeoutExpired:
                print(f"{self.argv[0]} did not end within {timeout:g} s of SIGTERM", file=sys.stderr)
                self._popen.kill()
                self._popen.wait()
        for pipe in (self._popen.stdin, self._popen.stdout):
            with contextlib.suppress(OSError):
                if pipe:
                    pipe.close()
        return time.monotonic() - started_at


def _tree(pid: int) -> list[int]:
    pids = [pid]
    for parent in pids:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                pids += map(int, children.read_text().split())
    return pids


def _cpu_seconds(pid: int) -> float:
    total = 0.0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            total += int((thread / "schedstat").read_text().split()[0]) / 1e9
    if total:
        return total
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _status_kib(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    return 0
