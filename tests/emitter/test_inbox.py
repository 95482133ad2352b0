"""`task.inbox()`: messages of people reach the run, each at least once, on a store and through a server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from signalbox.store import Event, Store, open_task
from signalbox.store.log import Log
from signalbox.store.remote import RemoteLog
from signalbox.store.sqlite import SqliteStore
from tests.support.database_file import back_up
from tests.support.log import append_audited, cancel, types_of
from tests.support.server import Server
from tests.support.waiting import wait_until


def send(store: Store, text: str, task: str = "run", **fields: Any) -> Event:
    return append_audited(store, task, "message_sent", "ann", text=text, by="ann", **fields)


@pytest.fixture(params=["store", "server"])
def logs(request: pytest.FixtureRequest, start_server: Callable[..., Server]) -> tuple[Store, Log]:
    """Return the store, and the log that the run uses: the store itself, or a server in front of it."""
    server = start_server()
    return server.store, server.store if request.param == "store" else RemoteLog(server.url)


def test_messages_reach_the_run_in_order_and_are_acknowledged(logs: tuple[Store, Log]) -> None:
    store, log = logs
    send(store, "before the run")
    with open_task(log, "run") as task:
        first = [(one.text, one.by, one.data) for one in task.inbox(timeout=0)]
        assert first == [("before the run", "ann", None)]
        send(store, "one", data={"urgent": True})
        send(store, "two")
        found = []
        for message in task.inbox(timeout=20):
            found.append((message.text, message.data))
            if message.text == "two":
                message.acknowledge()
                break
        assert found == [("one", {"urgent": True}), ("two", None)]
        assert list(task.inbox(timeout=0)) == []
    assert types_of(store, "run").count("message_taken") == 3


def test_a_message_that_is_not_acknowledged_comes_again_also_in_the_next_process(logs: tuple[Store, Log]) -> None:
    store, log = logs
    with open_task(log, "run") as task:
        send(store, "unfinished work")
        for message in task.inbox(timeout=20):
            assert message.text == "unfinished work"
            break
        assert next(task.inbox(timeout=20)).text == "unfinished work"
        with open_task(log, "run") as later:  # the first process was killed: it never emitted its end
            assert [one.text for one in later.inbox(timeout=0)] == ["unfinished work"]
            assert list(later.inbox(timeout=0)) == []


def test_messages_for_a_run_that_ended_do_not_reach_the_next_run(store: SqliteStore) -> None:
    with open_task(store, "run"):
        send(store, "too late")
    with open_task(store, "run") as task:
        assert list(task.inbox(timeout=0)) == []


def test_an_inbox_waits_until_the_run_is_asked_to_stop(store: SqliteStore) -> None:
    with open_task(store, "run") as task:
        threading.Timer(0.2, lambda: cancel(store, "run")).start()
        started = time.monotonic()
        assert list(task.inbox()) == []
        assert task.cancelled
        assert 0.1 < time.monotonic() - started < 10


async def test_an_inbox_in_asyncio_does_not_block_the_loop(store: SqliteStore) -> None:
    async with open_task(store, "run") as task:
        threading.Timer(0.2, lambda: send(store, "hello")).start()
        async for message in task.inbox(timeout=20):
            await message.acknowledge()
            assert message.text == "hello"
            break
        assert [one async for one in task.inbox(timeout=0)] == []


def test_a_claim_of_the_log_is_no_message(store: SqliteStore) -> None:
    with open_task(store, "run") as task:
        task.emitter.emit("run", "message_sent", text="do it", by="ann")
        task.log("after it")
        wait_until(lambda: task.lifeline.cursor >= 2)
        assert list(task.inbox(timeout=0)) == []


def test_a_poll_of_the_inbox_leaves_nothing_behind(store: SqliteStore) -> None:
    with open_task(store, "run") as task:
        for _ in range(50):
            assert list(task.inbox(timeout=0)) == []
            assert list(task.inbox(timeout=0.001)) == []
        # The mailbox knows who waits now.
        assert task.lifeline.mailbox._changes == []


def test_an_inbox_that_stays_open_gets_messages_of_a_restored_log(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = start_server()
    for log, name in ((server.store, "here"), (RemoteLog(server.url), "there")):
        send(server.store, "before the run", name)
        with open_task(log, name) as task:
            inbox = task.inbox(timeout=30)
            assert next(inbox).text == "before the run"
            back_up(server.path, tmp_path / "backup.db")
            for number in range(5):
                send(server.store, f"lost {number}", name)
            assert [next(inbox).text for _ in range(5)] == [f"lost {number}" for number in range(5)]
            back_up(tmp_path / "backup.db", server.path)
            send(server.store, "after the restore", name)
            # The log does not know that the first message was taken.
            assert [next(inbox).text for _ in range(2)] == ["before the run", "after the restore"]
