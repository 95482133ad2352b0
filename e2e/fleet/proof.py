"""Writers and viewers of a fleet while its parts are killed at random, and the checks of what each viewer was shown."""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page

from e2e.chaos.pages import fresh, live_at
from e2e.chaos.readers import Reader, SocketReader, StreamReader, background_loop
from e2e.chaos.truth import ServerTruth
from e2e.chaos.writers import FileWriter, HttpWriter, Writer
from e2e.fleet.outages import Outages
from e2e.fleet.page_viewer import PageViewer, main_of
from e2e.random_run import run
from signalbox.store import NewEvent
from tests.support.fleet import Fleet

BEAT_S = 0.25
"""Seconds between two batches of a writer that is not waiting for an answer."""
MAX_BATCH = 3
MAX_PAUSE_S = 3.0
"""The longest wait of a viewer between two attempts to connect."""
CATCH_UP_S = 60.0
"""Seconds after the last outage within which every viewer must have every event."""
BROWSER_PAGES = 3
KINDS: dict[type[Reader], str] = {StreamReader: "JSON", SocketReader: "WebSocket", PageViewer: "page"}


@dataclass
class Proof:
    """One run. `errors` lists everything that a viewer was shown wrongly, or not at all."""

    seed: int
    folder: Path
    browser: Browser | None
    viewer_count: int
    writer_count: int = 10
    errors: list[str] = field(default_factory=list)

    def run(self, seconds: float, rounds: int = 1, *, least_outages: int = 0) -> None:
        """Kill parts for `seconds`, in several rounds, and check everything after each round.

        A slow machine takes longer, because the last round continues until `least_outages` parts were killed.
        """
        self.fleet = Fleet(self.folder, keepalive_interval=2.0)
        self.truth = ServerTruth(self.fleet.store_url)
        self.outages = Outages(self.fleet, self.seed)
        self.writers: list[Writer] = []
        self.viewers: list[Reader] = []
        self.pages: list[Page] = []
        self._loop = background_loop()
        try:
            self._open()
            for number in range(1, rounds + 1):
                self._disturb(seconds / rounds, least_outages if number == rounds else 0)
                self._check()
        finally:
            self._close()
        if "Traceback" in (log := self.fleet.log()):
            self.errors.append("a web process printed a traceback: " + log[log.index("Traceback") :][:3000])

    # the parts of a run

    def _open(self) -> None:
        rng, fleet = random.Random(self.seed), self.fleet
        for number in range(self.writer_count):
            # Some runs are on other machines and append over HTTP, others append to the database.
            direct = number % 3 == 2
            name = f"run-{number}"
            writer = FileWriter(name, fleet.store_url, fleet.environment) if direct else HttpWriter(name, fleet.url)
            writer.begin(name)
            self.writers.append(writer)
        self._runs: dict[str, Iterator[NewEvent]] = {
            writer.name: run(rng.randrange(10**6), 100_000) for writer in self.writers
        }
        self._write(3)
        self._wait_for_writers()
        for number in range(self.viewer_count):
            task_id = self.writers[number % self.writer_count].task_id
            kind = list(KINDS)[number // self.writer_count % len(KINDS)]
            place = fleet.url if kind is PageViewer else fleet.port
            self.viewers.append(kind(place, task_id, self._loop, max_pause=MAX_PAUSE_S))  # type: ignore[arg-type]
        if self.browser is not None:
            context = self.browser.new_context()
            for writer in [*self.writers[: BROWSER_PAGES - 1], None]:
                page = context.new_page()
                page.goto(f"{fleet.url}/tasks/{writer.task_id}" if writer else f"{fleet.url}/tasks")
                self.pages.append(page)

    def _disturb(self, seconds: float, least_outages: int) -> None:
        """Let all runs write, and kill parts of the fleet, for some seconds and until there were enough outages."""
        rng, end = random.Random(self.seed + self.outages.total), time.monotonic() + seconds
        while time.monotonic() < end or self.outages.total < least_outages:
            next_outage = time.monotonic() + rng.uniform(0.5, 3)
            while time.monotonic() < min(end, next_outage):
                self._write(MAX_BATCH)
                self._pause(BEAT_S)
            self._write(MAX_BATCH)
            self.outages.inject()

    def _write(self, most: int) -> None:
        """Let each run that waits for no answer append up to `most` events."""
        for writer in self.writers:
            if writer.settled():
                writer.write(list(itertools.islice(self._runs[writer.name], random.randint(1, most))))

    def _pause(self, seconds: float) -> None:
        """Wait, while the browser keeps running."""
        if self.pages:
            self.pages[0].wait_for_timeout(seconds * 1000)
        else:
            time.sleep(seconds)

    def _close(self) -> None:
        for viewer in self.viewers:
            viewer.close()
        for page in self.pages:
            page.context.close()
            break
        for writer in self.writers:
            writer.close()
        self.fleet.close()
        self._loop.call_soon_threadsafe(self._loop.stop)

    # the checks

    def _check(self) -> None:
        self._wait_for_writers()
        self._check_log()
        self._check_viewers()
        self._check_page_viewers()
        self._check_browser()

    def _wait_for_writers(self) -> None:
        if not self._until(lambda: all(writer.settled() for writer in self.writers)):
            waiting = [writer.name for writer in self.writers if not writer.settled()]
            self.errors.append(f"not acknowledged within {CATCH_UP_S:g} s: events of {waiting}")
        for writer in self.writers:
            self.errors += [f"{writer.name}: {error}" for error in writer.errors]
            writer.errors.clear()

    def _check_log(self) -> None:
        """Check that each acknowledged event is stored once and in order, and that no seq is missing."""
        for writer in self.writers:
            log = self.truth.log_of(writer.task_id)
            if [entry.seq for entry in log] != list(range(1, len(log) + 1)):
                self.errors.append(f"{writer.task_id}: seqs with a gap or a duplicate")
            if [entry.key for entry in log if entry.key] != writer.acknowledged:
                self.errors.append(f"{writer.task_id}: the log differs from the acknowledged events")

    def _check_viewers(self) -> None:
        """Check that each viewer has received each event once and in order."""
        newest = {writer.task_id: self.truth.newest(writer.task_id) for writer in self.writers}

        def all_there() -> bool:
            return all(len(viewer.seen) >= newest[viewer.task_id] for viewer in self.viewers)

        self._until(all_there)
        for viewer in self.viewers:
            name = f"{KINDS[type(viewer)]} viewer of {viewer.task_id}"
            if viewer.seen != list(range(1, newest[viewer.task_id] + 1)):
                self.errors.append(f"{name} has seen {len(viewer.seen)} of {newest[viewer.task_id]} events")
            self.errors += [f"{name}: {error}" for error in viewer.errors]
            viewer.errors.clear()

    def _check_page_viewers(self) -> None:
        """Check that each page that followed its frames equals a page that each web process renders now."""
        pages = [viewer for viewer in self.viewers if isinstance(viewer, PageViewer)]
        for task_id in sorted({viewer.task_id for viewer in pages}):
            rendered = [self._rendered(server.url, task_id) for server in self.fleet.servers]
            if any(lines != rendered[0] for lines in rendered):
                self.errors.append(f"the web processes render different pages of {task_id}")
            for viewer in pages:
                if viewer.task_id == task_id and viewer.content is not None:
                    self._compare(task_id, viewer.content.lines(), rendered[0])

    def _compare(self, task_id: str, shown: list[str], rendered: list[str]) -> None:
        if shown != rendered:
            different = [pair for pair in zip(shown, rendered, strict=False) if pair[0] != pair[1]]
            self.errors.append(f"a page of {task_id} differs from a fresh one: {different[:1]}")

    def _rendered(self, url: str, task_id: str) -> list[str]:
        # Each process gives the address of the proxy in its page, as for a request through the proxy.
        headers = {"Accept": "text/html", "Host": self.fleet.url.removeprefix("http://")}
        answer = httpx.get(f"{url}/tasks/{task_id}", headers=headers, timeout=30, trust_env=False)
        answer.raise_for_status()
        return main_of(answer.text).lines()

    def _check_browser(self) -> None:
        """Check that each page in the browser is live at the newest event, and equals a fresh one."""
        for page in self.pages:
            task_id = page.url.rpartition("/")[2]
            newest = self.truth.newest(None if task_id == "tasks" else task_id)
            if not self._until(lambda page=page, newest=newest: live_at(page) >= newest and fresh(page)):  # type: ignore[misc]
                self.errors.append(f"{page.url} in the browser is live at #{live_at(page)} of #{newest}, or not fresh")

    def _until(self, condition) -> bool:  # type: ignore[no-untyped-def]
        """Wait until a condition holds, for at most CATCH_UP_S seconds, and return whether it does."""
        end = time.monotonic() + CATCH_UP_S
        while not condition():
            if time.monotonic() > end:
                return False
            self._pause(0.1)
        return True

    # the figures

    def report(self) -> str:
        """Return the figures of the run."""
        kinds = Counter(KINDS[type(viewer)] for viewer in self.viewers)
        viewers = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        acknowledged = sum(len(writer.acknowledged) for writer in self.writers)
        delivered = sum(len(viewer.seen) for viewer in self.viewers)
        outages = ", ".join(f"{name} {count}" for name, count in sorted(self.outages.counts.items()))
        return (
            f"{len(self.viewers)} viewers ({viewers}) and {len(self.pages)} pages in a browser, "
            f"{len(self.writers)} writers\n"
            f"{self.outages.total} outages ({outages})\n"
            f"{acknowledged:,} events acknowledged, {delivered:,} deliveries, "
            f"{sum(viewer.connects for viewer in self.viewers):,} connections\n"
            f"{len(self.errors)} errors"
        )
