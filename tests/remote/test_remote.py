"""Test that a remote log gives the same answers as a store, over every cut connection."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from signalbox.store import (
    InvalidEvent,
    NewEvent,
    NotAllowed,
    StoreClosed,
    StoreUnavailable,
    UnknownTask,
    open_store,
    open_task,
)
from signalbox.store.log import page_of
from signalbox.store.remote import RemoteLog
from signalbox.store.remote.connection import Connection
from tests.support.log import log_of, task_of, types_of, wait_for_event
from tests.support.proxy import Proxy
from tests.support.server import Server
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("remote")).start()
    yield started
    started.close()


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    between = Proxy(server.port)
    yield between
    between.close()


@pytest.fixture
def remote(proxy: Proxy) -> Iterator[RemoteLog]:
    opened = RemoteLog(proxy.url, patience=10)
    yield opened
    opened.close()


def log(message: object) -> NewEvent:
    return NewEvent(event_type="log", payload={"message": str(message)})


def test_a_remote_log_answers_as_the_store_does(server: Server, remote: RemoteLog) -> None:
    task, new = remote.create_task("same", title="Same", kind="test", metadata={"a": [1]})
    assert (task.title, task.kind, task.metadata, new) == ("Same", "test", {"a": [1]}, True)
    assert remote.create_task("same", title="Other")[1] is False
    events = remote.append("same", [log("one"), NewEvent(event_type="log", key="k", payload={"n": 2})])
    assert events == log_of(server.store, "same")
    assert remote.append("same", NewEvent(event_type="log", key="k")) == events[1:]
    assert remote.events("same", 1) == events[1:]
    assert remote.task("same").latest_seq == 2
    assert remote.append("same", []) == []


@pytest.mark.parametrize("phase", ["a/b?c#d", "100 %41", "..", "build"])
async def test_the_events_of_any_phase_are_read(server: Server, proxy: Proxy, phase: str) -> None:
    server.store.append("phases", NewEvent(event_type="phase_enter", phase=phase))
    store = open_store(proxy.url)
    async with store.read() as view:
        events = await view.events_of_phase("phases", phase)
    await store.aclose()
    assert [event.phase for event in events] == [phase]


def test_a_remote_log_raises_the_errors_of_the_store(remote: RemoteLog) -> None:
    with pytest.raises(UnknownTask):
        remote.task("nobody")
    with pytest.raises(UnknownTask):
        next(remote.tail("nobody"))
    with pytest.raises(InvalidEvent) as invalid:
        remote.append("t", NewEvent(event_type=""))
    assert invalid.value.field == "event_type"
    with pytest.raises(InvalidEvent):
        remote.create_task("no spaces")
    with pytest.raises(InvalidEvent):
        remote.events("t", limit=100_000)
    remote.append("asked", NewEvent(event_type="permission_request", payload={"request_id": "r"}))
    with pytest.raises(InvalidEvent) as reserved:
        remote.append("asked", NewEvent(event_type="log", key="signalbox:mine"))
    assert reserved.value.field == "key"


@pytest.mark.parametrize(("status", "known"), [("401 Unauthorized", False), ("403 Forbidden", True)])
async def test_a_refused_token_is_reported_at_once_and_not_retried(
    proxy: Proxy, remote: RemoteLog, status: str, known: bool
) -> None:
    refusal = json.dumps({"error": {"code": "no", "message": "not you"}})
    proxy.respond(status, body=refusal)
    for call in (
        lambda: remote.append("t", log("never")),
        lambda: remote.create_task("t"),
        lambda: remote.task("t"),
        lambda: next(remote.tail("t")),
    ):
        with pytest.raises(NotAllowed, match="not you") as refused:
            await asyncio.to_thread(call)
        assert refused.value.known is known
    with pytest.raises(NotAllowed):
        await anext(remote.atail("t"))
    assert len(proxy.requests) == 5


def test_a_tail_ends_when_its_token_is_revoked(server: Server, proxy: Proxy, remote: RemoteLog) -> None:
    server.emit("ends", "one")
    tail = remote.tail("ends")
    assert next(tail).seq == 1
    proxy.respond("401 Unauthorized")
    with pytest.raises(NotAllowed):
        next(tail)


def test_a_run_without_the_right_to_read_gets_an_error_when_it_asks(
    server: Server, proxy: Proxy, remote: RemoteLog
) -> None:
    proxy.respond("403 Forbidden", pattern="^/sse/")
    with open_task(remote, "mute") as task:
        wait_until(lambda: task.lifeline.error is not None)
        with pytest.raises(NotAllowed):
            task.ask_permission("deploy")
    assert types_of(server.store, "mute") == ["runner_spawn", "runner_exit"]


def test_a_closed_remote_log_raises_a_clear_error(server: Server) -> None:
    remote = RemoteLog(server.url)
    remote.close()
    with pytest.raises(StoreClosed):
        remote.task("t")


@pytest.mark.long
def test_a_call_whose_response_was_lost_appends_nothing_twice(server: Server, proxy: Proxy, remote: RemoteLog) -> None:
    dice = random.Random(7)
    # The server has stored the events, and the answer is cut at any byte, or not at all.
    proxy.cut_after = lambda: dice.choice([0, 300, 900, None, None, None])
    for number in range(12):
        stored = remote.append("cut", [log(f"{number}a"), log(f"{number}b")])
        assert [event.payload["message"] for event in stored] == [f"{number}a", f"{number}b"]
        proxy.cut()
    assert [e.payload["message"] for e in log_of(server.store, "cut")] == [f"{n}{x}" for n in range(12) for x in "ab"]
    assert proxy.connections > 13


def test_a_remote_log_waits_for_a_busy_server(server: Server, proxy: Proxy, remote: RemoteLog) -> None:
    proxy.respond("503 Service Unavailable", "Retry-After: 0\r\n")
    threading.Timer(0.3, proxy.heal).start()
    assert remote.append("busy", log("at last"))[0].seq == 1


def test_a_remote_log_gives_up_after_its_timeout(proxy: Proxy) -> None:
    proxy.shut()
    remote = RemoteLog(proxy.url, patience=0.2)
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        remote.append("t", log("never"))
    proxy.listen()
    remote.close()


def test_a_tail_sees_every_event_once_over_many_cuts(server: Server, proxy: Proxy, remote: RemoteLog) -> None:
    dice = random.Random(11)
    proxy.cut_after = lambda: dice.randrange(1, 20_000)
    server.emit("tailed", *map(str, range(400)))
    writing = threading.Thread(target=lambda: [server.emit("tailed", str(n)) for n in range(400, 600)])
    writing.start()
    seqs = []
    for event in remote.tail("tailed"):
        seqs.append(event.seq)
        if event.seq == 600:
            break
    writing.join()
    assert seqs == list(range(1, 601))
    assert proxy.connections > 5


async def test_an_asyncio_tail_resumes_from_a_seq_over_cuts(server: Server, proxy: Proxy, remote: RemoteLog) -> None:
    dice = random.Random(12)
    proxy.cut_after = lambda: dice.randrange(1, 10_000)
    server.emit("atailed", *map(str, range(300)))
    seqs = []
    async for event in remote.atail("atailed", since_seq=100):
        seqs.append(event.seq)
        if event.seq == 300:
            break
    assert seqs == list(range(101, 301))


def test_a_remote_run_receives_its_answer_and_its_cancel(server: Server, remote: RemoteLog) -> None:
    def people() -> None:
        request = wait_for_event(server.store_url, "far", lambda event: event.event_type == "permission_request")
        server.post(f"/api/tasks/far/permissions/{request.payload['request_id']}", {"approved": True})

    answering = threading.Thread(target=people)
    answering.start()
    with open_task(remote, "far", title="Far away", heartbeat_interval=0.1) as task, task.phase("executing"):
        assert task.ask_permission("deploy").by == "local user"
        answering.join()
        wait_for_event(server.store_url, "far", lambda event: event.event_type == "runner_heartbeat")
        server.post("/api/tasks/far/cancel", {})
        wait_for_event(server.store_url, "far", lambda event: event.event_type == "cancel_requested")
        assert not task.ask_permission("deploy again").approved
        assert task.cancelled
    assert task_of(server.store, "far").status == "cancelled"
    assert types_of(server.store, "far")[-1] == "runner_exit"


async def test_a_remote_run_works_in_asyncio(server: Server, remote: RemoteLog) -> None:
    async with open_task(remote, "afar") as task, task.phase("executing") as executing:

        async def work(name: str) -> None:
            async with executing.work_item(name) as item:
                await item.progress(1, 2)

        await asyncio.gather(*(work(f"w{number}") for number in range(5)))
    state = await asyncio.to_thread(task_of, server.store, "afar")
    assert (state.status, state.items_done) == ("done", 5)


def test_the_trusted_authorities_are_read_once_and_only_for_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[ssl.SSLContext] = []
    load = ssl.SSLContext.load_verify_locations

    def load_verify_locations(self: ssl.SSLContext, *args: Any, **options: Any) -> None:
        read.append(self)
        load(self, *args, **options)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", load_verify_locations)
    for url, times in (("http://127.0.0.1:1", 0), ("https://127.0.0.1:1", 1)):
        connection = Connection(url, None, patience=1)
        connection.stream_client()
        connection.close()
        assert len(read) == times, url
    assert read[0].verify_mode is ssl.CERT_REQUIRED
    assert read[0].check_hostname


async def test_a_page_of_a_log_of_long_events_is_complete(server: Server) -> None:
    log = open_store(server.url)
    try:
        for _ in range(6):
            await log.aappend("long", [NewEvent(event_type="log", payload={"message": "x" * 100_000})] * 20)
        events = await page_of(log, "long", 10, 100)
        assert [event.seq for event in events] == list(range(11, 111))
    finally:
        await log.aclose()
