"""Runs that append while faults occur. Each tracks its acknowledged events and resends the others."""

from __future__ import annotations

import itertools
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from signalbox.store import NewEvent, StoreError
from signalbox.store.remote import RemoteLog
from tests.support.command import RUN, environment


class Writer(ABC):
    """Append batches to one task in the background. `acknowledged` lists the keys of committed events in order."""

    def __init__(self, name: str) -> None:
        self.name, self.task_id = name, ""
        self.acknowledged: list[str] = []
        self.errors: list[str] = []
        self._numbers = itertools.count(1)
        self._batches: queue.Queue[tuple[str, list[NewEvent]]] = queue.Queue()
        self._idle = threading.Event()
        self._idle.set()
        threading.Thread(target=self._work, daemon=True).start()

    def begin(self, task_id: str) -> None:
        """Write to another task from now on."""
        self.task_id, self.acknowledged = task_id, []

    def write(self, events: Sequence[NewEvent]) -> None:
        """Queue events to be appended; each gets an idempotency key."""
        batch = [msgspec.structs.replace(event, key=f"{self.name}-{next(self._numbers)}") for event in events]
        self._idle.clear()
        self._batches.put((self.task_id, batch))

    def settled(self) -> bool:
        """Return whether all queued events have been acknowledged."""
        return self._idle.is_set()

    def forget_after(self, keys: set[str]) -> None:
        """After an older database was restored, forget acknowledged events that it does not hold."""
        self.acknowledged = [key for key in self.acknowledged if key in keys]

    def _work(self) -> None:
        while True:
            task_id, batch = self._batches.get()
            try:
                self._append(task_id, batch)
                self.acknowledged += [str(event.key) for event in batch]
            except StoreError as error:
                self.errors.append(f"{type(error).__name__}: {error}")
            if self._batches.empty():
                self._idle.set()

    @abstractmethod
    def close(self) -> None:
        """End the connections and processes of the writer."""

    @abstractmethod
    def _append(self, task_id: str, batch: list[NewEvent]) -> None:
        """Append the batch, retrying until it is stored. Raises StoreError if it is refused."""


class HttpWriter(Writer):
    """A run on another machine, which appends over HTTP through the faulty network."""

    def __init__(self, name: str, url: str) -> None:
        super().__init__(name)
        self._log = RemoteLog(url, patience=120)

    def _append(self, task_id: str, batch: list[NewEvent]) -> None:
        self._log.append(task_id, batch)

    def close(self) -> None:
        self._log.close()


class FileWriter(Writer):
    """A run on the same machine: a separate process with the database open, which can be killed and starts again."""

    def __init__(self, name: str, store_url: str, variables: Mapping[str, str]) -> None:
        super().__init__(name)
        self._url, self._environment = store_url, environment(**variables)
        self._process: subprocess.Popen[str] | None = None

    def kill(self) -> None:
        """Send SIGKILL."""
        if self._process is not None:
            self._process.kill()

    def _append(self, task_id: str, batch: list[NewEvent]) -> None:
        line = json.dumps({"task_id": task_id, "events": msgspec.to_builtins(batch)})
        while True:
            try:
                reply = self._ask(line)
            except (OSError, ValueError):
                self._process = None
                continue
            if "error" in reply:
                raise StoreError(reply["error"])
            return

    def _ask(self, line: str) -> dict[str, Any]:
        if self._process is None or self._process.poll() is not None:
            command = [sys.executable, "-m", "e2e.chaos.emitter", self._url]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self._environment
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        reply: dict[str, Any] = json.loads(self._process.stdout.readline())
        return reply

    def close(self) -> None:
        self.kill()


class CommandWriter:
    """A command under `signalbox run` that prints given lines. `lines` lists them in order."""

    def __init__(self, folder: Path, store_url: str, heartbeat: float, variables: Mapping[str, str]) -> None:
        self._folder, self._url, self._heartbeat = folder, store_url, heartbeat
        self._environment = environment(**variables)
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe = -1
        self.task_id = ""
        self.lines: list[str] = []
        self.killed = False

    def begin(self, task_id: str) -> None:
        """Start another run. The previous one must have ended."""
        self.task_id, self.lines, self.killed = task_id, [], False
        fifo = self._folder / f"{task_id}.fifo"
        os.mkfifo(fifo)
        options = ["--store", self._url, "--task", task_id, "--kind", "chaos", "--heartbeat", str(self._heartbeat)]
        self._process = subprocess.Popen(
            [*RUN, "run", *options, "--", "cat", str(fifo)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self._environment,
        )
        # Open for reading too, so that opening the pipe does not block.
        self._pipe = os.open(fifo, os.O_RDWR)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def write(self, count: int) -> None:
        """Let the command print `count` lines."""
        lines = [f"{self.task_id} line {next(self._numbers)}" for _ in range(count)]
        self.lines += lines
        os.write(self._pipe, "".join(f"{line}\n" for line in lines).encode())

    def suspend(self, stopped: bool) -> None:
        """Send SIGSTOP, or SIGCONT if `stopped` is False."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGSTOP if stopped else signal.SIGCONT)

    def kill(self) -> None:
        """Send SIGKILL to the recorder."""
        self.killed = True
        self.end(signal.SIGKILL)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop the run with the signal `how`, and wait for its end."""
        if self._process is not None:
            if self._process.poll() is None:
                self._process.send_signal(how)
            self._process.wait(60)
            os.close(self._pipe)
            self._process = None
