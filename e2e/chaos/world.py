"""A server behind a proxy, with the writers, readers and pages that use it while faults occur."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Error, Page

from e2e.chaos.disk import Clock, Disk
from e2e.chaos.installation import ThreeProcesses, install
from e2e.chaos.readers import PageReader, Reader, SocketReader, StreamReader, background_loop
from e2e.chaos.truth import FileTruth, Truth
from e2e.chaos.writers import CommandWriter, FileWriter, HttpWriter
from e2e.random_run import run
from signalbox.store import NewEvent
from tests.support.proxy import Proxy
from tests.support.server import Server

HEARTBEAT, HEARTBEAT_TIMEOUT = 1.0, 6.0
TIMEOUT = 45.0
"""Seconds within which everything must be correct again after a fault."""

VIEWS = (
    "/tasks/{file}",
    "/tasks/{command}",
    "/tasks/{file}/waterfall",
    "/tasks/{file}/spans",
    "/tasks/{http}/timeline",
    "/tasks/{http}/log?after=0",
    "/tasks/{file}/log?failures=1",
    "/permissions",
)


class World:
    """The system under test for one seed. `start_tasks` starts new tasks; `errors` lists statuses that are wrong.

    `store` is "sqlite" or "postgresql". `server` is the web process that the next fault breaks.
    """

    def __init__(self, seed: int, folder: Path, browser: Browser, store: str = "sqlite") -> None:
        self.seed, self.rng = seed, random.Random(seed)
        self.disk, self.clock = Disk(folder / "disk"), Clock(folder)
        self.installation = install(
            store,
            folder,
            self.disk.folder,
            variables=self.clock.variables,
            heartbeat_timeout=HEARTBEAT_TIMEOUT,
            keepalive_interval=0.5,
            max_events_per_stream=self.rng.choice([40, 200, 10_000]),
            ring_events=self.rng.choice([16, 256, 4096]),
            stream_compression=self.rng.choice([False, True]),
        )
        self.server: Server = self.installation.servers[0]
        self.proxy = Proxy(self.installation.port)
        self.folder = folder
        self.http = HttpWriter("http", self.proxy.url)
        self.file = FileWriter("file", self.installation.store_url, self.installation.environment)
        self.command = CommandWriter(folder, self.installation.store_url, HEARTBEAT, self.installation.environment)
        self._client = httpx.Client(timeout=10, trust_env=False)
        self.context = browser.new_context()
        self.context.set_default_timeout(TIMEOUT * 1000)
        self.pages = [self.context.new_page() for _ in range(3)]
        self.module = PageReader(self.context.new_page())
        self._loop = background_loop()
        self.readers: list[Reader] = []
        self.faults: list[str] = []
        self.errors: list[str] = []
        self._reported = 0
        self._task_numbers = itertools.count(1)
        self._commands = itertools.count(1)
        self._runs: dict[str, Iterator[NewEvent]] = {}

    @property
    def truth(self) -> Truth:
        """The log as the database holds it."""
        return self.installation.truth

    @property
    def fleet(self) -> ThreeProcesses | None:
        """The fleet, if the store is PostgreSQL."""
        return self.installation if isinstance(self.installation, ThreeProcesses) else None

    @property
    def file_truth(self) -> FileTruth | None:
        """The log in the database file, if the store is SQLite."""
        return self.truth if isinstance(self.truth, FileTruth) else None

    def choose_server(self) -> None:
        """Choose the web process that the next fault breaks."""
        if len(self.installation.servers) > 1:
            self.server = self.rng.choice(self.installation.servers)

    @property
    def tasks(self) -> dict[str, str]:
        """The ids of the current tasks, by writer."""
        return {"http": self.http.task_id, "file": self.file.task_id, "command": self.command.task_id}

    def start_tasks(self) -> None:
        """End the runs, and start new ones with new readers and pages."""
        self.command.end()
        number = next(self._task_numbers)
        for writer in (self.http, self.file):
            writer.begin(f"{writer.name}-{number}")
            self._runs[writer.name] = run(self.rng.randrange(10**6), 2000)
        self.begin_command()
        self.write(5)
        self.settle()
        for reader in self.readers:
            reader.close()
        self.readers = [
            StreamReader(self.proxy.port, self.http.task_id, self._loop),
            StreamReader(self.proxy.port, self.file.task_id, self._loop),
            SocketReader(self.proxy.port, self.http.task_id, self._loop),
        ]
        self.module.begin(self.proxy.url, self.file.task_id)
        view = self.rng.choice(VIEWS).format(**self.tasks)
        for page, address in zip(self.pages, (f"/tasks/{self.http.task_id}", "/tasks", view), strict=True):
            page.goto(self.proxy.url + address)

    def begin_command(self) -> None:
        """Start the next command as a task, and wait until the task exists."""
        self.command.begin(f"command-{next(self._commands)}")
        self.until(lambda: self.truth.newest(self.command.task_id) > 0, "the run of a command begins")

    def write(self, most: int) -> None:
        """Let every run write between 1 and `most` events."""
        for writer in (self.http, self.file):
            count = self.rng.randint(1, most)
            writer.write(list(itertools.islice(self._runs[writer.name], count)))
        if self.command.running:
            self.command.write(self.rng.randint(1, most))

    def settle(self) -> None:
        """Wait until everything that was written is acknowledged."""
        self.until(lambda: self.http.settled() and self.file.settled(), "every run's events are acknowledged")
        recorded = self.until(self.recorded, "each line of the command is in its log once and in order")
        if not recorded:
            self.command.lines = self.lines_of_the_command()
        for writer in (self.http, self.file):
            self.errors += [f"{writer.name}: {error}" for error in writer.errors]
            writer.errors.clear()

    def until(self, condition: Callable[[], Any], what: str, *, timeout: float = TIMEOUT) -> bool:
        """Wait until `condition` holds, and record a wrong status if it does not in time."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                self.record_error(f"not within {timeout:g} s: {what}")
                return False
            self.pause(0.06)
        return True

    def recorded(self) -> bool:
        """Return whether the log holds everything that the command printed, or its recorder is dead."""
        return not self.command.running or self.lines_of_the_command() == self.command.lines

    def lines_of_the_command(self) -> list[str]:
        log = self.truth.log_of(self.command.task_id)
        return [str(entry.payload.get("message")) for entry in log if entry.event_type == "log"]

    def expect_only_stored_events(self) -> None:
        """After an older database was restored, expect only the events that it holds."""
        for writer in (self.http, self.file):
            writer.forget_after({str(entry.key) for entry in self.truth.log_of(writer.task_id)})
        self.command.lines = self.lines_of_the_command()

    def delete(self, task_id: str) -> None:
        """Delete a task, as a person does."""
        with suppress(httpx.HTTPError):
            self._client.delete(f"{self.server.url}/api/tasks/{task_id}")

    def record_error(self, what: str) -> None:
        self.errors.append(f"after fault {len(self.faults)} ({self.faults[-1] if self.faults else 'none'}): {what}")

    def new_errors(self) -> list[str]:
        """Return the errors found since the last call."""
        unreported = self.errors[self._reported :]
        self._reported = len(self.errors)
        return unreported

    def pause(self, seconds: float) -> None:
        """Wait, while the browser keeps running."""
        try:
            self.pages[0].wait_for_timeout(seconds * 1000)
        except Error:
            time.sleep(seconds)

    def request(self, path: str, *, json: Any = None) -> httpx.Response | None:
        """Ask the server directly. Return None if it does not answer."""
        try:
            method = "GET" if json is None else "POST"
            return self._client.request(method, self.server.url + path, json=json)
        except httpx.HTTPError:
            return None

    def status(self, path: str, *, json: Any = None) -> int:
        """Return the status code of an answer, or 0 if there is none."""
        response = self.request(path, json=json)
        return 0 if response is None else response.status_code

    def reload(self, page: Page) -> None:
        """Reload a page that showed a wrong state, so that the error is counted once."""
        try:
            page.reload()
        except Error as error:
            self.record_error(f"a page does not load: {error.message.splitlines()[0]}")

    def close(self) -> None:
        # A run whose store is away would wait for it.
        self.command.kill()
        for reader in self.readers:
            reader.close()
        self.file.close()
        self.context.close()
        self.proxy.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self.installation.close()
        self.disk.close()
