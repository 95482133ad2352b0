"""The messages between a worker and its parent, when the other end is killed in the middle of one."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Iterator
from typing import cast

import pytest

from signalbox.webapp.http.process_info import ProcessInfo
from signalbox.webapp.workers import worker
from signalbox.webapp.workers.child import Child
from tests.support.waiting import wait_until


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Return the signals that a worker sends to itself. It ends before the test does, without ending this process."""
    sent: list[int] = []
    exited = threading.Event()
    monkeypatch.setattr(worker.os, "kill", lambda _, number: sent.append(number))
    monkeypatch.setattr(worker.os, "_exit", lambda _: exited.set())
    monkeypatch.setattr(worker, "ORPHAN_TIMEOUT", 0)
    yield sent
    assert exited.wait(60)


def test_a_worker_ends_when_its_parent_was_killed_within_a_message(signals: list[int]) -> None:
    parent, own = socket.socketpair()
    with own:
        control = worker.Control(own, ProcessInfo(1))
        control.follow()
        with parent:
            parent.sendall(b'{"workers": 3}\n{"wor')
        wait_until(lambda: signals == [signal.SIGTERM])
    assert control.ending == "orphaned"


def test_a_worker_knows_why_it_ends_once_its_parent_has_told_it(signals: list[int]) -> None:
    parent, own = socket.socketpair()
    with own:
        control = worker.Control(own, ProcessInfo(1))
        before = control.ending
        control.follow()
        with parent:
            parent.sendall(b'{"workers": 2}\n{"stopping": true}\n')
            told = wait_until(lambda: control.ending)
        wait_until(lambda: signals == [signal.SIGTERM])
    assert (before, told) == (None, "stopped")


async def test_the_messages_of_a_killed_worker_end_with_its_last_whole_one() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(b'{"collect": "1/a"}\n{"coll')
    reader.feed_eof()
    child = Child(1, cast(asyncio.subprocess.Process, None), reader, cast(asyncio.StreamWriter, None))
    assert [message async for message in child.messages()] == [{"collect": "1/a"}]
