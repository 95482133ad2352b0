"""A server, an emitter and a load client, as a scenario uses them."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.load.client import LoadClient
from bench.process import Process

QUERY = "since_seq=0&batch_size=100&flush_interval=0.1"
COMMAND = [str(Path(sys.executable).with_name("signalbox"))]
ADDRESS = re.compile(r"http://[\w.\[\]:-]+:(\d+)")


@dataclass(frozen=True)
class Measure:
    """The figures of a period under load: the client's figures, the server's CPU, and the emitter's report."""

    client: dict[str, Any]
    server_cpu_s: float
    server_rss: int
    emitted: dict[str, Any]

    @property
    def us_per_event(self) -> float:
        """Return the server CPU per delivered event, in microseconds."""
        return self.server_cpu_s * 1e6 / self._counted("events")

    @property
    def us_per_write(self) -> float:
        """Return the server CPU per write to one stream (an HTTP chunk), in microseconds."""
        return self.server_cpu_s * 1e6 / self._counted("chunks")

    @property
    def server_load(self) -> float:
        """Return how many cores the server used."""
        seconds: float = self.client["seconds"]
        return self.server_cpu_s / seconds

    @property
    def client_load(self) -> float:
        """Return how many cores the load client used. Near 1, the client itself was the bottleneck."""
        cpu_s, seconds = float(self.client["cpu_s"]), float(self.client["seconds"])
        return cpu_s / seconds

    def _counted(self, name: str) -> int:
        return max(1, int(self.client[name]))

    def figures(self) -> dict[str, Any]:
        derived = {name: getattr(self, name) for name in ("us_per_event", "us_per_write", "server_load", "client_load")}
        return {**derived, "server_rss": self.server_rss, "client": self.client, "emitted": self.emitted}


@dataclass
class Session:
    """A running server, an emitter (which may be the server itself) and a load client."""

    server: Process
    emitter: Process
    client: LoadClient
    emitted: int = 0

    def measure(self, rate: float, group: int, seconds: float, settle: float = 1.5, *, mark: bool = False) -> Measure:
        """Emit `rate` events/s in groups of `group`; measure `seconds` after `settle` seconds; wait for the rest.

        With `mark`, the texts of the events contain the time, so that rows of pages have it too.
        """
        command = {"rate": rate, "group": group, "seconds": settle + seconds + 0.2}
        self.emitter.send(json.dumps({**command, "mark": True} if mark else command))
        time.sleep(settle)
        self.client.mark("measured")
        cpu = self.server.cpu_seconds()
        time.sleep(seconds)
        cpu = self.server.cpu_seconds() - cpu
        figures = self.client.mark("rest")
        rss = self.server.rss_bytes()
        emitted = self.emitter.read_json("emitted", 60)
        self.emitted += emitted["emitted"]
        self._drain()
        return Measure(figures, cpu, rss, emitted)

    def _drain(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            time.sleep(0.5)
            if self.client.mark("rest")["events"] == 0:
                return

    def finish(self, *, cuts_allowed: bool = False) -> dict[str, Any]:
        """End the load client. Raise RuntimeError unless every stream saw every event once and in order."""
        total = self.client.finish()
        if cuts_allowed:
            total["errors"] -= total["error_kinds"]["cut"]
        faults = {name: total[name] for name in ("gaps", "missing", "duplicates", "reordered", "errors") if total[name]}
        if faults or (total["min_id"], total["max_id"]) != (self.emitted, self.emitted):
            kinds = {kind: n for kind, n in total["error_kinds"].items() if n}
            ids = (total["min_id"], total["max_id"])
            raise RuntimeError(f"not every stream saw 1…{self.emitted} once in order: {faults} {kinds}, ids {ids}")
        return total


def sample_for(deliveries_per_s: float) -> int:
    """Return n so that every n-th event of a stream is sampled for latency, at most 20,000 samples a second."""
    return max(1, int(deliveries_per_s / 20_000))


@contextlib.contextmanager
def serving(store_url: str, **settings: object) -> Iterator[tuple[Process, int]]:
    """Start a Signalbox server on a free port and its own core; yield the process and the port."""
    argv = [*COMMAND, "serve", "--port", "0", "--store", store_url]
    env = {f"SIGNALBOX_{name.upper()}": str(value) for name, value in {"log_level": "warning", **settings}.items()}
    with Process(argv, cores="server", env=env) as server:
        deadline = time.monotonic() + 30
        while not (found := ADDRESS.search(server.line(deadline - time.monotonic()))):
            pass
        yield server, int(found[1])


@contextlib.contextmanager
def temporary_store() -> Iterator[str]:
    """Yield the URL of a store that is deleted afterwards, with its directory."""
    with tempfile.TemporaryDirectory(prefix="signalbox-bench-") as directory:
        yield f"sqlite:///{directory}/bench.db"


@contextlib.contextmanager
def emitting(store_url: str, tasks: int = 1) -> Iterator[Process]:
    """Start an emitter process on a store; yield it once its tasks `bench-0`, `bench-1`, … exist."""
    argv = [sys.executable, "-m", "bench.emitter", "--store", store_url, "--tasks", str(tasks)]
    with Process(argv, cores="others") as emitter:
        emitter.read_json("tasks")
        yield emitter


@contextlib.contextmanager
def signalbox(
    streams: int,
    *,
    tasks: int = 1,
    query: str = QUERY,
    path: str = "",
    settings: Mapping[str, object] | None = None,
    **options: Any,
) -> Iterator[Session]:
    """Run Signalbox with open streams on its tasks, and an emitter in another process on the same store.

    `path` is that of the streams, by default the JSON stream of a task with this `query`; `{i}` in it is the number of
    the task. Settings have their defaults, except for `settings`. `options` are the load client's.
    """
    path = path or f"/sse/tasks/bench-{{i}}/events?{query}"
    with (
        temporary_store() as url,
        emitting(url, tasks) as emitter,
        serving(url, **(settings or {})) as (server, port),
        LoadClient(port, path, streams, tasks=tasks, reconnect=True, **options) as client,
    ):
        client.wait_ready()
        yield Session(server, emitter, client)


@contextlib.contextmanager
def bare(streams: int, **options: Any) -> Iterator[Session]:
    """Run the bare server, which emits by itself."""
    with Process([sys.executable, "-m", "bench.bare"], cores="server") as server:
        port = int(server.line().rpartition(":")[2])
        with LoadClient(port, "/", streams, **options) as client:
            client.wait_ready()
            yield Session(server, server, client)
