"""A page shows the current state that is not in the log, such as archived, whenever it was opened."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator

import httpx
import pytest

from signalbox.store import NewEvent
from signalbox.store.loops import Loop
from signalbox.store.sqlite import SqliteStore
from signalbox.store.sqlite.views import View
from signalbox.webapp.live import task_changes
from signalbox.webapp.live.channel import Channel
from signalbox.webapp.live.task_changes import TaskChanges
from tests.support.server import Server
from tests.support.sse import Message, open_stream


def frames(messages: Iterator[Message]) -> Iterator[str]:
    return (message.data for message in messages if message.data and not message.event)


def stream_url(server: Server, shown: str = "") -> str:
    return f"{server.url}/tasks/kept/stream?since=1&shown={shown}"


def wait_until_no_streams(server: Server) -> None:
    while httpx.get(f"{server.url}/sse/health").json()["streams"]:
        time.sleep(0.02)


def shown_by_page(server: Server, task_id: str) -> str:
    """Return the name of the state outside the log that a fresh page shows."""
    return re.findall(r'data-shown="([^"]*)"', server.get(f"/tasks/{task_id}").text)[0]


def select(server: Server, action: str) -> None:
    assert server.post(f"/selection/{action}", data={"task": "kept"}).status_code == 303


def test_a_change_without_viewers_is_sent_to_a_page_that_shows_the_old_state(server: Server) -> None:
    server.emit("kept", "one")
    with open_stream(stream_url(server)) as messages:
        seen = frames(messages)
        server.emit("kept", "two")
        next(seen)
        select(server, "archive")
        assert "archived" in next(seen)
        select(server, "restore")
        assert 'data-shown=""' in next(seen)
    wait_until_no_streams(server)
    select(server, "archive")
    with open_stream(stream_url(server, shown_by_page(server, "kept")).replace("since=1", "since=2")) as messages:
        seen = frames(messages)
        next(messages)
        select(server, "restore")
        assert 'data-shown=""' in next(seen)


def test_a_state_that_is_reverted_at_once_does_not_stay_on_a_page(server: Server) -> None:
    server.emit("kept", "one")
    with open_stream(stream_url(server)) as messages:
        seen = frames(messages)
        for _ in range(3):
            # The server checks the first commit at once, and batches the commits that follow.
            server.emit("kept", "more")
            next(seen)
            select(server, "archive")
            server.emit("kept", "more")
            while "archived" not in next(seen):
                pass
            select(server, "restore")
            while 'data-shown=""' not in next(seen):
                pass


def test_a_page_that_was_away_gets_the_state_outside_the_log_that_changed_meanwhile(server: Server) -> None:
    server.emit("kept", NewEvent(event_type="runner_spawn"))

    def progress(*messages: str) -> None:
        lines = [{"message": message} for message in messages]
        httpx.put(f"{server.url}/api/tasks/kept/unfinished", json=lines).raise_for_status()

    def hold(reason: str) -> None:
        assert server.post("/tasks/kept/hold", data={"reason": reason}).status_code == 303

    for before, after, seen in (
        (lambda: progress("50 %"), progress, 'id="log-unfinished" class="unfinished" hidden'),
        (lambda: progress("60 %"), lambda: progress("70 %"), "70 %"),
        (lambda: hold("for a day"), lambda: hold("for a week"), "for a week"),
    ):
        before()
        shown = shown_by_page(server, "kept")
        after()
        with open_stream(stream_url(server, shown)) as messages:
            assert seen in next(frames(messages))


def test_an_open_page_shows_the_new_reason_of_a_hold(server: Server) -> None:
    server.emit("kept", "one")
    with open_stream(stream_url(server)) as messages:
        seen = frames(messages)
        for reason in ("for a day", "for a week"):
            assert server.post("/tasks/kept/hold", data={"reason": reason}).status_code == 303
            assert reason in next(seen)


async def test_an_erasure_in_the_middle_of_a_check_still_ends_the_streams(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_changes, "TICK", 0.01)
    store.append("kept", NewEvent(event_type="log", payload={"message": "secret"}))
    async with store.read() as view:
        identity = (await view.task("kept")).identity
    counted, checks, dropped = View.erasures, 0, asyncio.Event()

    async def count_and_erase(view: View) -> int:
        nonlocal checks
        found, checks = await counted(view), checks + 1
        if checks == 2:
            await store.aerase_events("kept", [1], reason="asked for", actor="ann", source="test")
        return found

    monkeypatch.setattr(View, "erasures", count_and_erase)
    channels = {"kept": Channel(store, "kept", 16, identity)}
    changes = TaskChanges(store, channels, Loop("task_changes"), dropped.set)
    loop = asyncio.get_running_loop()
    stop = store.on_commit(lambda: loop.call_soon_threadsafe(changes.on_commit))
    changes.on_commit()
    try:
        await asyncio.wait_for(dropped.wait(), 60)
        assert not channels
    finally:
        stop()
        changes.close()
