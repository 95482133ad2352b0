"""Test how a remote log handles unusual responses of its server."""

from __future__ import annotations

import itertools
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox.store import (
    Conflict,
    InvalidEvent,
    StoreError,
)
from signalbox.store.remote import RemoteLog
from signalbox.store.remote.sse import MAX_RETRY_MS, SseParser


def test_every_request_carries_the_token() -> None:
    with stub({"/api/tasks": (201, "application/json", b"{}"), "/sse/tasks/t/events": (404, "text/plain", b"")}) as url:
        remote = RemoteLog(url, token="sbx_secret")
        with pytest.raises(StoreError):
            remote.create_task("t", project_id="web")
        with pytest.raises(StoreError):
            next(remote.tail("t"))
        remote.close()
    assert stub.requests == [("/api/tasks", "Bearer sbx_secret"), ("/sse/tasks/t/events", "Bearer sbx_secret")]
    for token in ("", "two words", "a\nb", "schlüssel"):
        with pytest.raises(InvalidEvent, match="token"):
            RemoteLog(url, token=token)


def test_a_server_that_is_not_signalbox_is_reported() -> None:
    with (
        stub({"/api/tasks": (200, "application/json", b'{"hello": 1}')}) as url,
        pytest.raises(StoreError, match="not a Sig"),
    ):
        RemoteLog(url).create_task("t")


def test_a_gap_in_the_stream_is_filled_from_the_log() -> None:
    def event(seq: int) -> dict[str, Any]:
        nothing = {"phase": None, "parent_span_id": None, "key": None}
        place = {"event_id": seq, "task_id": "t", "seq": seq, "event_type": "log", "actor": "a", "span_id": "s"}
        return {**nothing, **place, "payload": {}, "created_at": "2026-01-01T00:00:00.000000Z"}

    stream = "".join(f"id: {seq}\ndata: {json.dumps(event(seq))}\n\n" for seq in (1, 2, 2, 5))
    page = json.dumps({"events": [event(seq) for seq in (3, 4, 5)]})
    routes = {
        "/sse/tasks/t/events": (200, "text/event-stream", stream.encode()),
        "/api/tasks/t/events": (200, "application/json", page.encode()),
    }
    with stub(routes) as url:
        tail = RemoteLog(url).tail("t")
        assert [next(tail).seq for _ in range(5)] == [1, 2, 3, 4, 5]
        tail.close()


def test_a_replaced_history_is_reported() -> None:
    reset = b'event: reset\ndata: {"latest_seq": 3, "earliest_seq": 1}\n\n'
    with stub({"/sse/tasks/t/events": (200, "text/event-stream", reset)}) as url, pytest.raises(Conflict):
        next(RemoteLog(url).tail("t", since_seq=50))


@given(st.lists(st.integers(0, 200), max_size=8))
def test_the_parser_gives_the_same_messages_for_any_chunks(cuts: list[int]) -> None:
    stream = (
        ": keepalive\n\nid: 1\ndata: é€😀\n\nevent: reconnect\r\nretry: 250\r\ndata: {}\r\n\r\n"
        "data: two\ndata:  lines\n\nid: 2\n\nevent: nothing\n\ndata\n\ndata: half"
    ).encode()
    boundaries = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    parser = SseParser()
    messages = [m for a, b in itertools.pairwise(boundaries) for m in parser.feed(stream[a:b])]
    assert [(m.event, m.data, m.last_event_id) for m in messages] == [
        ("message", "é€😀", "1"),
        ("reconnect", "{}", "1"),
        ("message", "two\n lines", "1"),
        ("message", "", "2"),
    ]
    assert parser.retry_ms == 250


@pytest.mark.parametrize(
    ("digits", "milliseconds"), [("250", 250), ("9" * 30, MAX_RETRY_MS), ("9" * 5000, MAX_RETRY_MS)]
)
def test_a_retry_of_any_length_is_read(digits: str, milliseconds: int) -> None:
    parser = SseParser()
    assert not list(parser.feed(f"retry: {digits}\n\n".encode()))
    assert parser.retry_ms == milliseconds


class stub:
    """A server that gives every request the same response. `requests` holds the path and token of each request."""

    requests: ClassVar[list[tuple[str, str | None]]] = []

    def __init__(self, routes: dict[str, tuple[int, str, bytes]]) -> None:
        stub.requests.clear()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                stub.requests.append((path, self.headers.get("Authorization")))
                status, kind, body = routes[path]
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
