"""Random faults: with cuts at any byte and killed servers, every client receives each seq exactly once.

The name of a test contains its seed:
`pytest -m "" "tests/live/test_random_faults.py::test_every_client_receives_every_event_once[7]"`.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from e2e.random_run import run
from signalbox.store import NewEvent
from signalbox.store.remote import RemoteLog
from tests.support.chaos import Chaos
from tests.support.proxy import Proxy
from tests.support.server import Server
from tests.support.strict_client import Refused, StrictClient, stream

SEEDS = [0, 1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 60))]
OTHER_EVENTS = 20
"""Number of events of a second task, written in between. A stream of both tasks has them in commit order."""


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
async def test_every_client_receives_every_event_once(start_server: Callable[..., Server], seed: int) -> None:
    rng = random.Random(seed)
    server = start_server(
        max_events_per_stream=rng.choice([25, 100, 10_000]),
        ring_events=rng.choice([16, 64, 4096]),
        keepalive_interval=rng.choice([0.1, 15]),
        stream_compression=rng.choice([False, True]),
    )
    proxy = Proxy(server.port)
    remote = RemoteLog(proxy.url, patience=60)
    events = keyed(list(run(seed, rng.randint(50, 250))))
    server.emit("run", events[0])
    server.emit("other", "0")
    last = len(events)
    quick, patient = StrictClient(proxy.port, "run"), StrictClient(proxy.port, "run", pause=0.3)
    tail: list[int] = []
    socket: list[int] = []
    both: list[tuple[str, Any]] = []
    readers = asyncio.gather(
        quick.follow(last),
        patient.follow(last),
        follow_tail(remote, last, tail),
        follow_socket(proxy.port, last, socket),
        follow_both(proxy.port, last, both),
    )
    try:
        with Chaos(seed, server, proxy) as chaos:
            await write(rng, server, remote, events)
        with suppress(TimeoutError):
            await asyncio.wait_for(readers, 60)
    finally:
        readers.cancel()
        remote.close()
        proxy.close()
    assert stored_keys(server) == [event.key for event in events], chaos.faults
    everything = list(range(1, last + 1))
    for name, seen in {
        "a stream": quick.seen,
        "a patient stream": patient.seen,
        "the tail": tail,
        "the socket": socket,
        "the run on a stream of both": [seq for task, seq in both if task == "run"],
    }.items():
        assert seen == everything, f"{name} saw {len(seen)} of {last}: {chaos.faults}"
    assert [seq for task, seq in both if task == "other"] == list(range(1, OTHER_EVENTS + 1)), chaos.faults
    print(f"{last} events: {chaos.faults}")


def keyed(events: list[NewEvent]) -> list[NewEvent]:
    return [msgspec.structs.replace(event, key=f"event-{number}") for number, event in enumerate(events)]


def stored_keys(server: Server) -> list[str]:
    return [event["key"] for event in server.get("/api/tasks/run/events?limit=1000").json()["events"]]


async def write(rng: random.Random, server: Server, remote: RemoteLog, events: list[NewEvent]) -> None:
    """Append all events but the first: some to the database, some through the server and the broken network."""
    at, others = 1, 1
    while at < len(events):
        batch = events[at : at + rng.choice([1, 2, 5, 10])]
        if len(batch) > 2:
            await asyncio.to_thread(server.emit, "run", *batch)
        else:
            await remote.aappend("run", batch)
        at += len(batch)
        if others < OTHER_EVENTS:
            await asyncio.to_thread(server.emit, "other", str(others))
            others += 1
        await asyncio.sleep(rng.uniform(0, 0.08))
    await asyncio.to_thread(server.emit, "other", *map(str, range(others, OTHER_EVENTS)))


async def follow_tail(remote: RemoteLog, last: int, seen: list[int]) -> None:
    """Append the seqs that the Python client's tail yields to `seen`."""
    async with aclosing(remote.atail("run")) as events:
        async for event in events:
            seen.append(event.seq)
            if event.seq >= last:
                break


async def follow_socket(port: int, last: int, seen: list[int]) -> None:
    """Append the seqs received over a WebSocket to `seen`; reconnect from the last seq."""
    while len(seen) < last:
        with suppress(OSError, TimeoutError, WebSocketException, EOFError):
            async with connect(
                f"ws://127.0.0.1:{port}/ws/tasks/run/events?since_seq={len(seen)}", proxy=None
            ) as socket:
                while len(seen) < last:
                    seen.append(json.loads(await socket.recv())["seq"])
        await asyncio.sleep(0.05)


async def follow_both(port: int, last: int, seen: list[tuple[str, Any]]) -> None:
    """Append task and seq of each message of the feed of two tasks to `seen`; resume with the feed's event id."""
    position = "0"
    while len(seen) < last + OTHER_EVENTS:
        with suppress(OSError, asyncio.IncompleteReadError, Refused):
            path = "/sse/events?task=run&task=other"
            async for message in stream("127.0.0.1", port, path, {"Last-Event-ID": position}):
                if message.id is not None:
                    assert int(message.id) > int(position)
                    position = message.id
                    seen.append((message.json["task_id"], message.json["seq"]))
                if len(seen) == last + OTHER_EVENTS:
                    break
        await asyncio.sleep(0.05)
