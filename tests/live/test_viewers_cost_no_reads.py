"""Viewers that have all events cause no queries: their number does not change the number of queries."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from signalbox.store import NewEvent, Store
from signalbox.store.sqlite.views import View
from signalbox.store.tail import Tail
from signalbox.store.wake import Wake
from signalbox.webapp.auth.ticket import Ticket
from signalbox.webapp.live.hub import Hub
from signalbox.webapp.live.lane import Lane
from signalbox.webapp.live.lanes import Lanes
from signalbox.webapp.live.sse import json_event
from signalbox.webapp.live.stats import Stats
from signalbox.webapp.live.stream_encoding import Plain
from signalbox.webapp.live.task_changes import TICK
from signalbox.webapp.live.task_frames import TaskFrames
from signalbox.webapp.settings import Settings
from tests.support.rendering import FRAGMENTS

ID = re.compile(rb"^id: (\d+)$", re.MULTILINE)
LOG = NewEvent(event_type="log", payload={"message": "more"})
PROGRESS = NewEvent(event_type="progress_update", payload={"progress": {"percentage": 40}})
ITEM = NewEvent(event_type="work_item_start", span_id="item")
ENDED = NewEvent(event_type="runner_exit")
EVENTS = (LOG, PROGRESS, ITEM, LOG, ENDED)
"""The events that each task gets in turn."""

OF_TASK_CHANGES = "archived_at IS NOT NULL, stale, u.updated_at"
OF_THE_PROCESS = (
    OF_TASK_CHANGES,
    "WHERE event_id > ?",
    "SELECT count(*) FROM task_permissions",
    "FROM server_processes",
    "FROM cold_tasks WHERE stage",
    "FROM store_facts WHERE name = 'erasures'",
)
"""Parts of the queries that each process runs, whatever the number of its viewers."""

READS_AT_THE_END = 15
"""Queries for the page of a task with a kind when its run ends: it then links to another run of the kind."""


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the SQL of every query of a view. The tail reads on a connection of its own."""
    found: list[str] = []
    rows = View._rows

    async def collect(view: View, sql: str, *values: object) -> list[Any]:
        found.append(sql)
        return await rows(view, sql, *values)

    monkeypatch.setattr(View, "_rows", collect)
    return found


@asynccontextmanager
async def following_hub(store: Store) -> AsyncIterator[Hub]:
    hub = Hub(store, Settings(), Stats())
    tail = Tail(store, hub.deliver, Wake(store), pause=hub.tail_pause.seconds)
    await tail.start()
    yield hub
    await hub.close()
    await tail.stop()


def page_lane(store: Store, lanes: Lanes, task_id: str) -> Lane:
    renderer = TaskFrames(store, FRAGMENTS, lanes.watched_task(task_id, ""), lanes.forecasts)
    return lanes.frame_lane(task_id, renderer)


def event_lane(store: Store, lanes: Lanes, task_id: str) -> Lane:
    return lanes.event_lane(task_id, json_event, 10, 0.5)


@pytest.mark.long
@pytest.mark.parametrize("viewers", [10, 300, pytest.param(1000, marks=pytest.mark.soak)])
@pytest.mark.parametrize("lane_of", [page_lane, event_lane], ids=["pages", "JSON streams"])
async def test_viewers_of_a_task_each_cause_no_query(
    store: Store, queries: list[str], viewers: int, lane_of: Callable[[Store, Lanes, str], Lane]
) -> None:
    positions = [0] * viewers
    store.create_task("task-0", kind="bench")
    async with following_hub(store) as hub:

        async def view(number: int) -> None:
            async def send(message: Any) -> None:
                for position in ID.findall(message["body"]):
                    positions[number] = int(position)

            await hub.run(lane_of(store, hub.lanes, f"task-{number}"), 1, send, b"", Plain(), Ticket())

        async def append_and_wait(event: NewEvent, seq: int) -> None:
            await asyncio.gather(*(store.aappend(f"task-{number}", event) for number in range(viewers)))
            async with asyncio.timeout(60):
                while min(positions) < seq:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

        await append_and_wait(NewEvent(event_type="runner_spawn"), 0)
        streams = [asyncio.create_task(view(number)) for number in range(viewers)]
        # The first frame of a task is read from the store.
        await append_and_wait(LOG, 2)
        async with asyncio.timeout(60):
            while not all(lane.live for lane in hub.lanes):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        began = time.monotonic()
        queries.clear()
        for seq, event in enumerate(EVENTS, 3):
            await append_and_wait(event, seq)
        checks = sum(OF_TASK_CHANGES in sql for sql in queries)
        assert checks <= (time.monotonic() - began) / TICK + 1
        others = [sql for sql in queries if not any(part in sql for part in OF_THE_PROCESS)]
        assert len(others) <= READS_AT_THE_END, (len(others), viewers, set(others))
        for stream in streams:
            stream.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
