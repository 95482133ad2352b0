"""A page shows the current state that is not in the log, such as archived, whenever it was opened."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx

from tests.support.server import Server
from tests.support.sse import Message, open_stream


def frames(messages: Iterator[Message]) -> Iterator[str]:
    return (message.data for message in messages if message.data and not message.event)


def stream_url(server: Server, shown: str = "") -> str:
    return f"{server.url}/tasks/kept/stream?since=1&shown={shown}"


def wait_until_no_streams(server: Server) -> None:
    while httpx.get(f"{server.url}/sse/health").json()["streams"]:
        time.sleep(0.02)


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
    with open_stream(stream_url(server, "archived").replace("since=1", "since=2")) as messages:
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
