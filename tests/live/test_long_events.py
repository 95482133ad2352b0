"""Logs of long events are read about once, and little at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from signalbox.store import Event, NewEvent, open_store
from signalbox.store.bounded_reads import payload_bytes
from signalbox.store.sql.views.log import LogViews
from signalbox.store.sqlite import SqliteStore
from signalbox.store.tail import PAGE_BYTES, follow
from signalbox.webapp.auth.ticket import Ticket
from signalbox.webapp.live.catch_up_cache import CatchUpCache
from signalbox.webapp.live.control_messages import JSON
from signalbox.webapp.live.event_lane import EventLane
from signalbox.webapp.live.pace import Pace
from signalbox.webapp.live.ring import Ring
from signalbox.webapp.live.stats import Stats
from signalbox.webapp.live.stream_encoding import Plain
from signalbox.webapp.live.subscriber import Subscriber

EVENTS = 150


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    """A store with a log of 150 events of 100 KB."""
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('long')}/x.db")
    assert isinstance(store, SqliteStore)
    store.create_task("t")
    store.append("t", [NewEvent(event_type="log", payload={"message": "x" * 100_000})] * EVENTS)
    yield store
    store.close()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[list[Event]]:
    """The results of all reads of the log."""
    found: list[list[Event]] = []
    events = LogViews.events

    async def recorded(self: LogViews, *args: Any) -> list[Event]:
        found.append(await events(self, *args))
        return found[-1]

    monkeypatch.setattr(LogViews, "events", recorded)
    return found


async def test_a_stream_that_catches_up_reads_each_long_event_about_once(
    store: SqliteStore, reads: list[list[Event]]
) -> None:
    arrived, done = 0, asyncio.Event()

    async def send(message: Any) -> None:
        nonlocal arrived
        arrived += message["body"].count(b'"seq":')
        if arrived >= EVENTS:
            done.set()

    lane = EventLane(Ring(16), Pace(0.1, 10), Stats(), store, "t", _encoded, JSON, CatchUpCache())
    subscriber = Subscriber(lane, 0, send, Plain(), Ticket(), max_events=10_000, deadline=float("inf"))
    running = asyncio.create_task(subscriber.run())
    await asyncio.wait_for(done.wait(), 60)
    subscriber.finish()
    await running
    lane.close()
    assert sum(map(len, reads)) < 2 * EVENTS


async def test_a_program_that_follows_a_run_reads_few_long_events_at_once(
    store: SqliteStore, reads: list[list[Event]]
) -> None:
    events = follow(store, "t")
    for seq in range(1, EVENTS + 1):
        assert (await anext(events)).seq == seq
    await events.aclose()
    assert max(sum(map(payload_bytes, read)) for read in reads) <= 1.3 * PAGE_BYTES


def _encoded(event: Event) -> bytes:
    return b'{"seq":%d,' % event.seq + bytes(event.payload_json)
