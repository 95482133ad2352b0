"""Sinks write the bytes of a stream one write at a time: to uvicorn's transport if possible, else through ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from signalbox.webapp.auth.ticket import Ticket
from signalbox.webapp.live import sink as sinks
from signalbox.webapp.live.chunk import Chunk
from signalbox.webapp.live.control_messages import JSON
from signalbox.webapp.live.frame_lane import FrameLane
from signalbox.webapp.live.pace import Pace
from signalbox.webapp.live.ring import Ring
from signalbox.webapp.live.sink import Sink, TransportSink, sink_for
from signalbox.webapp.live.stats import Stats
from signalbox.webapp.live.stream_encoding import Plain
from signalbox.webapp.live.subscriber import Subscriber


class Reader:
    """A client that accepts one write per permit given by `take`."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.offered: list[bytes] = []
        self._room, self._took = asyncio.Semaphore(0), asyncio.Event()

    async def send(self, message: Any) -> None:
        self.offered.append(message["body"])
        await self._room.acquire()
        self.got.append(message["body"])
        self._took.set()

    async def take(self, count: int = 1) -> None:
        """Accept `count` writes, and let the event loop run."""
        for _ in range(count):
            self._took.clear()
            self._room.release()
            await asyncio.wait_for(self._took.wait(), 60)
        for _ in range(5):
            await asyncio.sleep(0)


def ignore() -> None:
    """Do nothing: a callback for tests that do not need one."""


async def test_a_stall_counts_until_the_last_write_is_taken() -> None:
    reader, freed = Reader(), asyncio.Event()
    sink = Sink(reader.send, freed.set, ignore)
    assert not sink.write(b"heartbeat")
    await asyncio.sleep(0.02)
    first = sink.stalled_since
    assert not sink.write(b"frame")
    assert sink.stalled_since == first
    await asyncio.sleep(0.02)
    await reader.take()
    assert sink.stalled_since is not None
    assert first is not None
    assert sink.stalled_since > first
    assert not freed.is_set()
    await reader.take()
    assert reader.got == [b"heartbeat", b"frame"]
    assert sink.stalled_since is None
    assert freed.is_set()


async def test_a_frame_waits_for_a_reader_with_an_unaccepted_heartbeat() -> None:
    reader, head = Reader(), [1]

    async def render(cursor: int) -> Chunk | None:
        return Chunk(b"up to %d" % head[0], head[0], 1) if head[0] > cursor else None

    lane = FrameLane(Ring(0), Pace(0.01, 10), Stats(), render, JSON)
    subscriber = Subscriber(lane, 1, reader.send, Plain(), Ticket(), max_events=100, deadline=float("inf"))
    running = asyncio.create_task(subscriber.run())
    await asyncio.sleep(0.02)
    subscriber.send_control(b"heartbeat")
    for head[0] in (2, 3):
        lane.recheck()
        await asyncio.sleep(0.05)
        assert reader.offered == [b"heartbeat"]
        assert subscriber.cursor == 1
    await reader.take(2)
    assert reader.got == [b"heartbeat", b"up to 3"]
    assert subscriber.sink.stalled_since is None
    subscriber.finish()
    await running
    lane.close()


@asynccontextmanager
async def uvicorn_with(app: Any) -> AsyncIterator[str]:
    """Serve `app` with uvicorn on the protocols that Signalbox uses; yield the URL."""
    started = asyncio.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            started.set()

    server = Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    await asyncio.wait_for(started.wait(), 60)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await serving


@pytest.mark.parametrize("known", [True, False])
async def test_streams_write_to_uvicorns_transport_if_its_internals_are_known(
    known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sinks_made: list[Sink] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        if not known:
            # Stand in for a later version of uvicorn without this attribute.
            monkeypatch.delattr(send.__self__, "chunked_encoding")
        sink = sink_for(send, ignore, ignore)
        if not known:
            send.__self__.chunked_encoding = True
        sinks_made.append(sink)
        sink.write_chunk(Chunk(b"data: 1\n\n", 1, 1))
        sink.write(b": words\n\n")
        sink.write_chunk(Chunk(b"data: 2\n\n", 2, 1))
        await sink.wait_drained()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async with uvicorn_with(app) as url, httpx.AsyncClient() as client:
        text = (await client.get(url)).text
    assert text == "data: 1\n\n: words\n\ndata: 2\n\n"
    # If this fails after an update of uvicorn, its internals have changed: adapt `webapp/live/sink.py`.
    assert isinstance(sinks_made[0], TransportSink) is known


async def test_streams_of_another_server_write_through_asgi() -> None:
    reader = Reader()
    assert type(sink_for(reader.send, ignore, ignore)) is Sink
    assert sinks.cycle_of(reader.send) is None


def test_a_client_that_disconnects_early_causes_no_warning_about_uvicorn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(sinks, "_warn_once", warnings.append)
    cycle = RequestResponseCycle.__new__(RequestResponseCycle)
    cycle.disconnected, cycle.response_complete, cycle.chunked_encoding = True, False, None
    assert sinks.cycle_of(cycle.send) is None
    assert warnings == []
