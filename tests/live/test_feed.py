"""The feed of several tasks on one connection, events over WebSockets, compressed streams, and stream metrics."""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
import threading
from collections.abc import Callable
from itertools import islice

import httpx
import pytest
import websockets
from websockets.exceptions import ConnectionClosed, InvalidStatus

from signalbox.store import NewEvent, Store
from signalbox.webapp.api.feed import feed
from signalbox.webapp.dialects.run import run_messages
from signalbox.webapp.live.chunk import CHUNK_BYTES
from tests.support.server import Server
from tests.support.sse import open_stream

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def test_events_of_many_tasks_arrive_on_one_connection_in_commit_order(server: Server) -> None:
    for n in range(10):
        server.emit(f"feed-{n % 3}", f"line {n}")
    with open_stream(f"{server.url}/sse/events?task=feed-0&task=feed-2") as stream:
        seen = []
        for message in stream:
            if message.id:
                seen.append((message.json["task_id"], message.json["seq"]))
            if len(seen) == 7:
                server.emit("feed-1", "not mine")
                server.emit("feed-2", "live")
            if len(seen) == 8:
                break
    assert seen[:7] == [
        ("feed-0", 1), ("feed-2", 1), ("feed-0", 2), ("feed-2", 2), ("feed-0", 3), ("feed-2", 3), ("feed-0", 4)
    ]  # fmt: skip
    assert seen[7] == ("feed-2", 4)


def test_one_id_resumes_all_tasks(server: Server) -> None:
    for n in range(30):
        server.emit(f"many-{n % 5}", f"line {n}")
    url, seen, last = f"{server.url}/sse/events?" + "&".join(f"task=many-{n}" for n in range(5)), [], None
    while len(seen) < 30:
        with open_stream(url, headers={"Last-Event-ID": last} if last else {}) as stream:
            for _, message in zip(range(8), stream, strict=False):
                if message.id:
                    last = message.id
                    seen.append((message.json["task_id"], message.json["seq"]))
                if len(seen) == 30:
                    break
    assert sorted(seen) == [(f"many-{n}", seq) for n in range(5) for seq in range(1, 7)]


def test_a_stream_sends_keepalives_while_other_tasks_are_busy(start_server: Callable[..., Server]) -> None:
    server, finished = start_server(keepalive_interval=0.3), threading.Event()
    server.emit("calm", "one")

    def chatter() -> None:
        while not finished.wait(0.02):
            server.emit("busy", "not for this stream")

    busy = threading.Thread(target=chatter)
    busy.start()
    try:
        with open_stream(f"{server.url}/sse/events?task=calm") as stream:
            assert any(message.comment == "keepalive" for message in stream)
    finally:
        finished.set()
        busy.join()


def test_the_feed_names_invalid_parameters(server: Server) -> None:
    assert server.get("/sse/events?task=nobody-here").status_code == 404
    assert server.get("/sse/events?task=a%20b").json()["error"]["field"] == "task"
    assert server.get("/sse/events?since_event_id=x").json()["error"]["field"] == "since_event_id"


def socket_url(server: Server, task_id: str, since: int | str = 0) -> str:
    return f"{server.url.replace('http', 'ws')}/ws/tasks/{task_id}/events?since_seq={since}"


async def test_a_websocket_sends_the_same_events_as_the_api(server: Server) -> None:
    server.emit("socket", *[f"line {n}" for n in range(1500)])
    async with websockets.connect(socket_url(server, "socket", 10)) as socket:
        seen = [json.loads(await socket.recv()) for _ in range(1490)]
        await asyncio.to_thread(server.emit, "socket", "live")
        seen.append(json.loads(await socket.recv()))
    assert [event["seq"] for event in seen] == list(range(11, 1502))
    assert (
        seen
        == (await asyncio.to_thread(server.get, "/api/tasks/socket/events?since_seq=10&limit=1000")).json()["events"]
        + (await asyncio.to_thread(server.get, "/api/tasks/socket/events?since_seq=1010&limit=1000")).json()["events"]
    )


@pytest.mark.parametrize(
    ("task_id", "since", "code"), [("nobody", 0, 4404), ("closed", "x", 4400), ("closed", 99, 4409)]
)
async def test_a_refused_websocket_closes_with_a_code_and_a_reason(
    server: Server, task_id: str, since: int | str, code: int
) -> None:
    await asyncio.to_thread(server.emit, "closed", "one")
    async with websockets.connect(socket_url(server, task_id, since)) as socket:
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == code
    assert caught.value.rcvd.reason


@pytest.mark.parametrize(
    ("name", "origin"),
    [("127.0.0.1", "https://evil.example"), ("127.0.0.1", "null"), ("127.0.0.1", "http://["), ("evil.example", None)],
)
async def test_a_cross_site_websocket_is_refused(server: Server, name: str, origin: str | None) -> None:
    await asyncio.to_thread(server.emit, "guarded", "one")
    url = f"ws://{name}:{server.port}/ws/tasks/guarded/events"
    headers = {"Origin": origin} if origin else {}
    with pytest.raises(InvalidStatus) as caught:
        async with websockets.connect(url, host="127.0.0.1", port=server.port, additional_headers=headers):
            pass
    assert caught.value.response.status_code == 403


async def test_a_websocket_closes_with_1001_when_the_server_stops(start_server: Callable[..., Server]) -> None:
    server = await asyncio.to_thread(start_server)
    server.emit("run", "one")
    async with websockets.connect(socket_url(server, "run")) as socket:
        await socket.recv()
        await asyncio.to_thread(server.check_stop)
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1001


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_compressed_streams_contain_the_same_events(start_server: Callable[..., Server], encoding: str) -> None:
    server = start_server(stream_compression=True, max_events_per_stream=40)
    server.emit("run", *["the same words again and again"] * 20)
    url = f"{server.url}/sse/tasks/run/events"
    raw = b""
    with httpx.stream("GET", url, headers={"Accept-Encoding": encoding}) as response:
        assert response.headers["content-encoding"] == encoding
        assert response.headers["vary"] == "Accept-Encoding"
        for n, part in enumerate(response.iter_raw()):
            if n == 1:
                server.emit("run", *["live"] * 20)
            raw += part
    text = gzip.decompress(raw) if encoding == "gzip" else zstd.decompress(raw)
    assert [line for line in text.decode().split("\n") if line.startswith("id:")] == [f"id: {n}" for n in range(1, 41)]
    assert b"event: reconnect" in text
    assert len(raw) < len(text) / 3


def test_metrics_count_sent_events(server: Server) -> None:
    def value(name: str) -> float:
        lines = server.get("/metrics").text.splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(f"signalbox_{name} "))

    before = value("events_out_total")
    server.emit("metered", *["x"] * 50)
    with open_stream(f"{server.url}/sse/tasks/metered/events") as stream:
        for message in stream:
            if message.id == "50":
                break
        assert value("streams") >= 1
    assert value("events_out_total") - before == 50
    assert value("store_healthy") == 1
    assert value("lag_events_p99") == 0


@pytest.mark.parametrize("dialect", ["feed", "run"])
async def test_long_events_are_sent_in_chunks_of_few_bytes(store: Store, dialect: str) -> None:
    for _ in range(10):
        store.append("run", [NewEvent(event_type="log", payload={"message": "x" * 100_000})] * 4)
    render = feed(store, ()) if dialect == "feed" else run_messages(store, "run")
    cursor, events, chunks = 0, 0, 0
    while chunk := await render(cursor):
        assert len(chunk.body) < 2 * CHUNK_BYTES
        assert chunk.more == (events + chunk.events < 40)
        cursor, events, chunks = chunk.to_seq, events + chunk.events, chunks + 1
    assert (events, chunks > 5) == (40, True)


def test_a_stream_of_long_events_is_complete(server: Server) -> None:
    for _ in range(10):
        server.emit("long", *[NewEvent(event_type="log", payload={"message": "x" * 100_000})] * 4)
    for path in ("/sse/events?task=long", "/sse/tasks/long/events"):
        with open_stream(server.url + path) as stream:
            seqs = [message.json["seq"] for message in islice((m for m in stream if m.id), 40)]
        assert seqs == list(range(1, 41))
