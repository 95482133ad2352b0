"""A real server in a separate process, on a free port, with a real database file."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx

from signalbox.store import Event, NewEvent
from signalbox.store.events import PEOPLE_EVENTS
from signalbox.store.sqlite import SqliteStore
from tests.support.forked_process import CAN_FORK, ForkedProcess

CUT_OFF = "requests were cut off because the server stops"
"""A line in the log of a server that stops while requests still run: it lets them continue for a second."""

READY = re.compile(r"Signalbox listens on (http://\S+)")

STOP_LIMIT = 15.0
"""Seconds in which a server stops. A quiet machine needs a tenth of it."""


class Server:
    """`signalbox serve`, which can be started, killed and restarted on the same port and database.

    The database is the file at `path`, unless `store_url` names another one.
    """

    def __init__(
        self,
        folder: Path,
        *,
        variables: Mapping[str, str] | None = None,
        store_url: str | None = None,
        **settings: Any,
    ) -> None:
        self._variables = dict(variables or {})
        self.path = folder / "signalbox.db"
        self.store_url = store_url or f"sqlite:///{self.path}"
        self.settings = settings
        self.port = 0
        self.url = ""
        self.lines: list[str] = []
        self._process: subprocess.Popen[str] | ForkedProcess | None = None
        self._store: SqliteStore | None = None

    def start(self) -> Server:
        """Start the server and wait until it accepts requests."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALBOX_")}
        environment |= {f"SIGNALBOX_{name.upper()}": str(value) for name, value in self.settings.items()}
        self._process = self._launch(environment | self._variables)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line)
            ready = READY.search(line)
            if ready:
                break
        else:
            raise AssertionError("the server did not start:\n" + "".join(self.lines))
        self.url = ready.group(1)
        self.port = httpx.URL(self.url).port or 0
        threading.Thread(target=self._keep_reading, args=(self._process,), daemon=True).start()
        return self

    def _launch(self, environment: Mapping[str, str]) -> subprocess.Popen[str] | ForkedProcess:
        arguments = ("serve", "--port", str(self.port), "--store", self.store_url)
        if CAN_FORK and not self._variables:  # A variable such as LD_PRELOAD needs a new process.
            return ForkedProcess(*arguments, environment=environment)
        command = [sys.executable, "-m", "signalbox", *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)

    def _keep_reading(self, process: subprocess.Popen[str] | ForkedProcess) -> None:
        assert process.stdout is not None
        self.lines.extend(process.stdout)

    @property
    def pid(self) -> int:
        """Return the process id of the server."""
        assert self._process is not None
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code as `Popen.poll` returns it: None while the server runs, negative after a signal."""
        assert self._process is not None
        return self._process.poll()

    def kill(self) -> None:
        """Send SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> float:
        """Send SIGTERM and return how many seconds the exit took."""
        started = time.monotonic()
        self._end(signal.SIGTERM)
        return time.monotonic() - started

    def _end(self, how: signal.Signals) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(60)

    def replace_database(self) -> None:
        """Kill the server and restart it with an empty database, as after restoring another database."""
        self.kill()
        if self._store:
            self._store.close()
            self._store = None
        for file in self.path.parent.glob(f"{self.path.name}*"):
            file.unlink()

    @property
    def store(self) -> SqliteStore:
        """The server's database, opened by the test as by another process."""
        if self._store is None:
            from signalbox.store import open_store

            self._store = open_store(self.store_url)
        return self._store

    def emit(self, task_id: str, *events: NewEvent | str) -> list[Event]:
        """Append events (a string is a log line) from outside the server, those of people with `own=True`."""
        given = [NewEvent(event_type="log", payload={"message": e}) if isinstance(e, str) else e for e in events]
        stored: list[Event] = []
        for own, group in groupby(given, key=lambda event: event.event_type in PEOPLE_EVENTS):
            stored += self.store.append(task_id, list(group), own=own)
        return stored

    def latest(self, task_id: str) -> int:
        """Return the newest seq of a task, as the server reports it."""
        return int(self.get(f"/api/tasks/{task_id}").json()["latest_seq"])

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Send a GET request to a path of the server."""
        return httpx.get(self.url + path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        """Send a POST request to a path of the server."""
        return httpx.post(self.url + path, json=json, **options)

    def check_stop(self) -> None:
        """Stop the server, and check that its streams end by themselves, so that nothing delays the exit."""
        assert self.stop() < STOP_LIMIT
        assert CUT_OFF not in self.log

    def close(self) -> None:
        """Stop the server and close the database."""
        self.stop()
        if self._store:
            self._store.close()

    @property
    def log(self) -> str:
        """Return the output of the server."""
        return "".join(self.lines)
