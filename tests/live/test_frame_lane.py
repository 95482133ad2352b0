"""A commit during the rendering of a frame is in the next frame."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from signalbox.webapp.auth.ticket import Ticket
from signalbox.webapp.live.chunk import Chunk
from signalbox.webapp.live.control_messages import JSON
from signalbox.webapp.live.frame_lane import FrameLane
from signalbox.webapp.live.pace import Pace
from signalbox.webapp.live.ring import Ring
from signalbox.webapp.live.stats import Stats
from signalbox.webapp.live.stream_encoding import Plain
from signalbox.webapp.live.subscriber import Subscriber


@pytest.mark.parametrize("first_frame", [b"up to 1", b""], ids=["with the event", "without the right to see the event"])
async def test_a_commit_while_a_frame_is_rendered_is_in_the_next_frame(first_frame: bytes) -> None:
    newest, reading, resume = 1, asyncio.Event(), asyncio.Event()
    sent: asyncio.Queue[bytes] = asyncio.Queue()

    async def render(cursor: int) -> Chunk | None:
        read = newest
        reading.set()
        await resume.wait()
        return Chunk(b"up to 2" if read == 2 else first_frame, read, 1) if read > cursor else None

    async def send(message: Any) -> None:
        sent.put_nowait(message["body"])

    lane = FrameLane(Ring(0), Pace(0.1, 10), Stats(), render, JSON)
    subscriber = Subscriber(lane, 0, send, Plain(), Ticket(), max_events=100, deadline=float("inf"))
    running = asyncio.create_task(subscriber.run())
    await asyncio.wait_for(reading.wait(), 60)
    newest = 2
    lane.recheck()
    resume.set()
    for frame in filter(None, (first_frame, b"up to 2")):
        assert await asyncio.wait_for(sent.get(), 60) == frame
    subscriber.finish()
    await running
    lane.close()


async def test_a_stalled_reader_does_not_keep_the_lane_busy() -> None:
    newest, blocked = 1, asyncio.Event()
    sent: asyncio.Queue[bytes] = asyncio.Queue()

    async def render(cursor: int) -> Chunk | None:
        return Chunk(b"frame %d" % newest, newest, 1) if newest > cursor else None

    async def send(message: Any) -> None:
        sent.put_nowait(message["body"])

    async def send_and_stall(message: Any) -> None:
        await send(message)
        if message["body"] == b"heartbeat":
            await blocked.wait()

    lane = FrameLane(Ring(0), Pace(0, 10), Stats(), render, JSON)
    readers = [
        Subscriber(lane, 0, to, Plain(), Ticket(), max_events=100, deadline=float("inf"))
        for to in (send, send_and_stall)
    ]
    running = [asyncio.create_task(reader.run()) for reader in readers]
    for _ in readers:
        assert await asyncio.wait_for(sent.get(), 60) == b"frame 1"
    while len(lane.live) < 2:  # noqa: ASYNC110 (a lane has no event that a test could await)
        await asyncio.sleep(0)
    readers[1].send_control(b"heartbeat")
    newest = 2
    lane.recheck()
    assert {await asyncio.wait_for(sent.get(), 60) for _ in range(2)} == {b"heartbeat", b"frame 2"}
    flushes: list[object] = []
    lane.on_flushed = flushes.append
    for _ in range(100):
        await asyncio.sleep(0)
    assert len(flushes) < 10
    blocked.set()
    assert await asyncio.wait_for(sent.get(), 60) == b"frame 2"
    for reader in readers:
        reader.finish()
    await asyncio.gather(*running)
    lane.close()
