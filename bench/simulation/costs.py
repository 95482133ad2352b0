"""What one operation costs: measured by a scenario of the bench, or estimated where it says so."""

from __future__ import annotations

from dataclasses import dataclass

from signalbox.webapp.settings import Settings


@dataclass(frozen=True)
class Costs:
    """Costs of one database with its web processes. Times are microseconds, of one core where they are CPU time.

    - `commit`, `event`: what a commit, and each event in it, occupy the write lock of the database (`append`,
      `postgresql`). For PostgreSQL they are twice those of plain inserts under the same lock.
    - `read`: CPU of a web process for an event that it reads, watched or not (`unwatched`).
    - `serve_read`: CPU of the database for an event that one web process reads. Estimated as a third of `read`.
    - `wake`: CPU of a web process for each round in which it reads new events (`unwatched`).
    - `write`, `deliver`: CPU for a write to one stream, and for each event in it (`fanout`).
    - `frame`: CPU to render the change of a page, once for all viewers of a task in a process (`watched`).
    - `stream_kb`, `task_kb`: memory for an open stream, and for a task that somebody watches (`capacity`, `watched`).
    """

    commit: float
    event: float
    read: float
    serve_read: float
    wake: float
    write: float
    deliver: float
    frame: float
    stream_kb: float
    task_kb: float


SQLITE = Costs(
    commit=84, event=12, read=28, serve_read=0, wake=260, write=12, deliver=1.5, frame=440, stream_kb=31, task_kb=15
)
POSTGRESQL = Costs(
    commit=900, event=35, read=55, serve_read=18, wake=770, write=12, deliver=1.5, frame=440, stream_kb=31, task_kb=15
)

FLUSH_INTERVAL = Settings().flush_interval
"""Seconds between two writes to a stream under load."""

MIN_WAKE_INTERVAL = 0.005
"""Seconds between two wake-ups that a process sends."""

BUS_DELIVERIES = 500_000
"""Messages that one Redis hands to its subscribers in a second. Estimated from the figures that Redis publishes."""

MEMORY_GB = 8
"""Memory of a core's share of a web machine: a usual ratio of clouds."""
