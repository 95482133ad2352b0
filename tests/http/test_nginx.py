"""Streams behind nginx with its packaged configuration: events arrive at once, idle streams stay open."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from signalbox.webapp.settings import Settings
from tests.support.machine_speed import slowness
from tests.support.nginx import nginx_before
from tests.support.server import Server
from tests.support.sse import open_stream

READ_TIMEOUT = 60
"""Seconds of silence after which nginx closes its upstream connection (`proxy_read_timeout`, default)."""


@pytest.fixture
def nginx_url(tmp_path: Path) -> Iterator[Callable[[Server], str]]:
    """A function that starts an nginx in front of a server and returns its URL."""
    with ExitStack() as stack:
        yield lambda server: stack.enter_context(nginx_before(server.port, tmp_path / "nginx"))


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_events_pass_through_nginx_at_once(
    start_server: Callable[..., Server], nginx_url: Callable[[Server], str], encoding: str
) -> None:
    server = start_server()
    url = f"{nginx_url(server)}/sse/tasks/run/events"
    server.emit("run", "one")
    with open_stream(url, timeout=60, headers={"Accept-Encoding": encoding}) as stream:
        assert [next(stream).id, next(stream).id] == [None, "1"]
        elapsed = []
        for seq in range(2, 22):
            sent = time.monotonic()
            server.emit("run", "more")
            assert next(stream).id == str(seq)
            elapsed.append(time.monotonic() - sent)
    # nginx that holds messages back delays all of them; a busy machine may delay most.
    assert sorted(elapsed)[1] < 0.15 * slowness(), elapsed
    assert max(elapsed) < Settings().keepalive_interval, "an event came with the next keepalive"


def test_an_idle_stream_sends_keepalives_before_the_read_timeout(
    start_server: Callable[..., Server], nginx_url: Callable[[Server], str]
) -> None:
    assert Settings().keepalive_interval < READ_TIMEOUT / 2
    server = start_server(keepalive_interval=0.2)
    server.emit("run", "one")
    with open_stream(f"{nginx_url(server)}/sse/tasks/run/events?since_seq=1", timeout=60) as stream:
        assert [next(stream).comment for _ in range(4)] == ["open", "keepalive", "keepalive", "keepalive"]


@pytest.mark.soak
def test_an_idle_stream_is_open_after_three_minutes(
    start_server: Callable[..., Server], nginx_url: Callable[[Server], str]
) -> None:
    server = start_server()
    server.emit("run", "one")
    started = time.monotonic()
    with open_stream(f"{nginx_url(server)}/sse/tasks/run/events?since_seq=1", timeout=READ_TIMEOUT) as stream:
        while time.monotonic() - started < 3 * READ_TIMEOUT:
            assert next(stream).comment in ("open", "keepalive")
        server.emit("run", "two")
        assert next(message for message in stream if message.id).id == "2"


def test_nginx_answers_502_without_a_server_and_the_stream_resumes_later(
    start_server: Callable[..., Server], nginx_url: Callable[[Server], str]
) -> None:
    server = start_server()
    url = f"{nginx_url(server)}/sse/tasks/run/events"
    server.emit("run", "one")
    server.kill()
    with pytest.raises(Exception, match="502"), open_stream(url):
        pass
    server.emit("run", "two")
    server.start()
    with open_stream(url, headers={"Last-Event-ID": "1"}) as stream:
        assert [next(stream).id, next(stream).id] == [None, "2"]
