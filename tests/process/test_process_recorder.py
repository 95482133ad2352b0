"""Test that the recorder appends output in order, with bounded memory, and loses nothing in an outage."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from signalbox.store import NewEvent, StoreMoved, open_store
from signalbox.store.remote import RemoteLog
from signalbox.store.urls import without_password
from signalbox.webapp.process import recorder as recording
from signalbox.webapp.process.output import Output
from signalbox.webapp.process.recorder import Recorder
from signalbox.webapp.process.run_log import RunLog
from signalbox.webapp.process.terminal import OutputPipe
from tests.support.log import log_of
from tests.support.proxy import Proxy
from tests.support.server import Server
from tests.support.waiting import wait_until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(tmp_path).start()
    yield started
    started.close()


def log(text: str) -> NewEvent:
    return NewEvent(event_type="log", payload={"message": text})


async def test_an_outage_makes_the_command_wait_and_loses_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "MAX_WAITING_CHARS", 500_000)
    proxy = Proxy(server.port)
    proxy.shut()
    source, sink = os.pipe()
    os.set_blocking(source, False)
    reports: list[str] = []
    recorder = Recorder(RemoteLog(proxy.url, patience=0), "t", reports.append)
    output = Output([OutputPipe("stdout", source, sink, terminal=False)], recorder, "span", lambda pipe, data: None)

    def write() -> None:
        for number in range(2000):
            os.write(sink, b"%d %b\n" % (number, b"x" * 900))
        os.close(sink)

    writer = threading.Thread(target=write)
    writer.start()
    await asyncio.to_thread(wait_until, lambda: recorder.full and reports)
    assert recorder.waiting < 700
    proxy.listen()
    await output.ended()
    writer.join()
    output.close()
    assert await recorder.finish(30) == 0
    proxy.close()
    events = await asyncio.to_thread(log_of, server.store, "t")
    assert [event.payload["message"].split()[0] for event in events] == [str(number) for number in range(2000)]
    assert "output is kept" in reports[0]
    assert reports[-1] == "the log answers again"


async def test_a_refused_line_does_not_hold_up_the_rest(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/signalbox.db")
    reports: list[str] = []
    recorder = Recorder(store, "t", reports.append)
    for event in (log("one"), NewEvent(event_type=""), log("two")):
        recorder.add(event)
    assert await recorder.finish(10) == 1
    events = await asyncio.to_thread(log_of, store, "t")
    assert [event.payload["message"] for event in events] == ["one", "two"]
    assert reports == ["1 event is not recorded: event_type must have 1 to 256 characters, not 0"]
    await store.aclose()


async def test_a_move_to_a_store_whose_password_is_unknown_is_reported_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(f"sqlite:///{tmp_path}/signalbox.db")
    moved = StoreMoved(without_password("postgresql://ann:secret@db.example.org/signalbox"))

    async def refuse(*arguments: object, **options: object) -> None:
        raise moved

    monkeypatch.setattr(store, "aappend", refuse)
    reports: list[str] = []
    recorder = Recorder(store, "t", reports.append, follow=RunLog(store, reports.append).follow)
    for text in ["one", "two", "three"]:
        recorder.add(log(text))
        await asyncio.to_thread(wait_until, lambda: not recorder.waiting)
    assert await recorder.finish(10) == 3
    assert reports == [f"output is not recorded any more: {moved}"]
    await store.aclose()


async def test_a_refused_token_is_reported_once(server: Server) -> None:
    proxy = Proxy(server.port)
    proxy.respond("403 Forbidden")
    reports: list[str] = []
    recorder = Recorder(RemoteLog(proxy.url), "t", reports.append)
    for text in ["one", "two", "three"]:
        recorder.add(log(text))
        await asyncio.to_thread(wait_until, lambda: not recorder.waiting)
    assert await recorder.finish(10) == 3
    proxy.close()
    assert reports == ["output is not recorded any more: the server answered 403 Forbidden"]


async def test_the_recorder_gives_up_on_a_log_that_stays_unreachable(tmp_path: Path) -> None:
    recorder = Recorder(RemoteLog("http://127.0.0.1:1", patience=0), "t", lambda text: None)
    recorder.add(log("lost"))
    assert await recorder.finish(0.2) == 1
