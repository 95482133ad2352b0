"""Measure what events that nobody watches cost a web process: it reads all of them, to find those that it needs."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.scenarios import Scale
from bench.session import emitting, serving, temporary_store
from bench.table import Row, count
from signalbox.store import UnknownStoreKind, open_store

RATES = ((200, 1), (5_000, 50))
"""Events per second, and events of one append."""


def unwatched(scale: Scale) -> Iterator[Row]:
    """Yield rows for both kinds of store. None for PostgreSQL if it is not installed."""
    with temporary_store() as url:
        yield from _rows("SQLite", url, scale)
    with _postgresql() as url:
        if url is not None:
            yield from _rows("PostgreSQL", url, scale)


@contextlib.contextmanager
def _postgresql() -> Iterator[str | None]:
    try:
        from tests.support import postgres
    except ImportError:
        yield None
        return
    if postgres.programs() is None:
        yield None
        return
    cluster = postgres.Cluster(Path(tempfile.gettempdir(), f"signalbox-bench-unwatched-{os.getpid()}"))
    try:
        cluster.start()
        url = cluster.create_database()
        with contextlib.suppress(UnknownStoreKind):
            open_store(url).close()
        yield url
    finally:
        cluster.close()


def _rows(store: str, url: str, scale: Scale) -> Iterator[Row]:
    with emitting(url) as emitter, serving(url) as (server, _):
        time.sleep(1.0)
        for rate, group in RATES:
            before = server.cpu_seconds()
            emitter.send(json.dumps({"rate": rate, "group": group, "seconds": scale.seconds}))
            emitted = emitter.read_json("emitted", 60)
            seconds = server.cpu_seconds() - before
            us = seconds / emitted["emitted"] * 1e6
            yield Row(
                name=f"{store}: CPU of a web process for each event that nobody watches, {count(rate)} events/s"
                f" in groups of {group}",
                measured=f"{us:.0f} µs, and {emitted['cpu_s'] / emitted['emitted'] * 1e6:.0f} µs of its writer",
                figures={"us": us, "emitted": emitted},
            )
