"""The JSON stream: history, then live events; every event once and in order; a control message at each end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from signalbox.store import NewEvent
from tests.support.server import Server
from tests.support.sse import Message, open_stream


def stream_url(server: Server, task_id: str, query: str = "") -> str:
    return f"{server.url}/sse/tasks/{task_id}/events{query}"


def read_events(url: str, count: int, **options: object) -> list[Message]:
    """Return the first `count` messages that carry an event."""
    found: list[Message] = []
    with open_stream(url, **options) as stream:
        for message in stream:
            if message.id is not None:
                found.append(message)
            if len(found) == count:
                break
    return found


def test_a_stream_sends_history_and_then_live_events(server: Server) -> None:
    server.emit("live", "one", "two")
    seen = []
    with open_stream(stream_url(server, "live")) as stream:
        for message in stream:
            if message.comment is not None:
                continue
            seen.append(message)
            if message.id == "2":
                server.emit("live", "three")
            if message.id == "3":
                server.post("/api/tasks/live/events", {"event_type": "log", "payload": {"message": "four"}})
            if message.id == "4":
                break
    assert [message.id for message in seen] == ["1", "2", "3", "4"]
    assert [message.json["payload"]["message"] for message in seen] == ["one", "two", "three", "four"]
    assert [message.json["seq"] for message in seen] == [1, 2, 3, 4]
    assert {message.event for message in seen} == {""}


@pytest.mark.long
def test_a_long_history_is_complete_while_more_events_arrive(server: Server) -> None:
    server.emit("long", *[str(n) for n in range(8000)])
    more = threading.Thread(target=lambda: [server.emit("long", "more") for _ in range(1000)])
    more.start()
    messages = read_events(stream_url(server, "long"), 9000)
    more.join()
    assert [int(message.id or 0) for message in messages] == list(range(1, 9001))


def test_many_streams_at_different_cursors_receive_every_event(server: Server) -> None:
    server.emit("many", *["x"] * 500)
    with ThreadPoolExecutor(12) as pool:
        running = [
            pool.submit(
                read_events, stream_url(server, "many", f"?since_seq={since}&batch_size={1 + since % 100}"), 700 - since
            )
            for since in range(0, 550, 50)
        ]
        for _ in range(200):
            server.emit("many", "y")
        for since, stream in zip(range(0, 550, 50), running, strict=True):
            assert [int(m.id or 0) for m in stream.result(60)] == list(range(since + 1, 701))


def test_last_event_id_overrides_since_seq(server: Server) -> None:
    server.emit("resume", *["x"] * 10)
    url = stream_url(server, "resume", "?since_seq=2")
    assert read_events(url, 1)[0].id == "3"
    assert read_events(url, 1, headers={"Last-Event-ID": "7"})[0].id == "8"
    bad = httpx.get(url, headers={"Last-Event-ID": "seven"})
    assert (bad.status_code, bad.json()["error"]["field"]) == (400, "Last-Event-ID")


def test_a_cursor_ahead_of_the_log_gets_a_reset(server: Server) -> None:
    server.emit("reset", "one")
    with open_stream(stream_url(server, "reset", "?since_seq=99")) as stream:
        (message,) = [message for message in stream if message.comment is None]
    assert (message.event, message.json["latest_seq"]) == ("reset", 1)


def test_an_unknown_task_is_404_before_any_stream_byte(server: Server) -> None:
    response = server.get("/sse/tasks/nobody/events")
    assert (response.status_code, response.headers["content-type"]) == (404, "application/json")


def test_a_stream_has_headers_against_caching_and_buffering(server: Server) -> None:
    server.emit("headers", "x")
    with httpx.stream("GET", stream_url(server, "headers")) as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["cache-control"] == "no-cache, no-transform"
        assert response.headers["x-accel-buffering"] == "no"
        assert "content-length" not in response.headers


def test_hostile_text_stays_inside_its_message(server: Server) -> None:
    hostile = "a\nb\r\nc\rdata: x\n\nid: 999\n\nevent: reset\u2028\u2029\x00"
    server.emit("nasty", NewEvent(event_type="log", payload={hostile: hostile}), "after")
    first, second = read_events(stream_url(server, "nasty"), 2)
    assert first.json["payload"] == {hostile: hostile}
    assert (first.id, second.id, second.event) == ("1", "2", "")


def test_an_event_of_another_process_arrives_quickly(start_server: Callable[..., Server]) -> None:
    server = start_server(poll_interval=60, max_poll_interval=60)
    server.emit("quick", "x")
    delays = []
    with open_stream(stream_url(server, "quick", "?since_seq=1")) as stream:
        next(stream)
        for _ in range(20):
            sent = time.monotonic()
            server.emit("quick", "y")
            next(stream)
            delays.append(time.monotonic() - sent)
    # The fallback poll alone would take a minute each time.
    assert sorted(delays)[10] < 10


def test_polling_delivers_events_without_a_wake_up(start_server: Callable[..., Server]) -> None:
    server = start_server(poll_interval=0.05, max_poll_interval=0.2)
    server.emit("run", "x")
    assert [m.id for m in read_events(stream_url(server, "run"), 1)] == ["1"]


def test_an_idle_stream_sends_keepalives(start_server: Callable[..., Server]) -> None:
    server = start_server(keepalive_interval=0.3)
    server.emit("idle", "x")
    with open_stream(stream_url(server, "idle", "?since_seq=1"), timeout=60) as stream:
        comments = [next(stream).comment for _ in range(4)]
    assert comments[1:] == ["keepalive"] * 3


def test_a_stream_ends_after_max_events_and_resumes_there(start_server: Callable[..., Server]) -> None:
    server = start_server(max_events_per_stream=100)
    server.emit("run", *["x"] * 250)
    cursor, seen, rounds = 0, [], 0
    while len(seen) < 250:
        with open_stream(stream_url(server, "run", f"?since_seq={cursor}")) as stream:
            for message in stream:
                if message.id:
                    seen.append(int(message.id))
                    cursor = int(message.id)
                elif message.event:
                    assert message.event == "reconnect"
                if len(seen) == 250:
                    break
        rounds += 1
        assert rounds < 10
    assert seen == list(range(1, 251))
    assert rounds > 1


def test_sigterm_sends_a_reconnect_message_and_stops_quickly(start_server: Callable[..., Server]) -> None:
    server = start_server()
    server.emit("run", "x")
    last: list[Message] = []
    ready = threading.Barrier(21)

    def watch() -> None:
        with open_stream(stream_url(server, "run"), timeout=60) as stream:
            next(stream)
            ready.wait()
            last.append(list(stream)[-1])

    watchers = [threading.Thread(target=watch) for _ in range(20)]
    for watcher in watchers:
        watcher.start()
    ready.wait()
    server.check_stop()
    for watcher in watchers:
        watcher.join()
    assert {message.event for message in last} == {"reconnect"}
    waits = [message.retry for message in last]
    assert all(wait is not None and 0 < wait <= 5000 for wait in waits)
    assert len(set(waits)) > 10, "clients get different reconnect delays"


def test_a_killed_server_loses_no_event(start_server: Callable[..., Server]) -> None:
    server = start_server()
    server.emit("run", "one")
    with open_stream(stream_url(server, "run")) as stream:
        assert [next(stream).id, next(stream).id] == [None, "1"]
        server.kill()
        with pytest.raises(httpx.HTTPError):
            next(stream)
    server.emit("run", "two", "three")
    server.start()
    assert [m.id for m in read_events(stream_url(server, "run", "?since_seq=1"), 2)] == ["2", "3"]


def test_streams_over_the_limit_are_refused_while_other_routes_answer(start_server: Callable[..., Server]) -> None:
    server = start_server(max_streams=2)
    server.emit("run", "x")
    url = stream_url(server, "run")
    with open_stream(url) as first, open_stream(url) as second:
        next(first), next(second)
        refused = httpx.get(url)
        assert refused.status_code == 503
        assert 1 <= int(refused.headers["retry-after"]) <= 5
        assert server.get("/api/tasks").status_code == 200
        assert server.get("/sse/health").json()["streams"] == 2


def test_a_stream_ends_when_its_task_is_deleted_even_if_its_id_is_reused(server: Server) -> None:
    for name in ("goes", "changes"):
        server.emit(name, "one", "two", NewEvent(event_type="runner_exit", payload={"exit_code": 0}))
    with open_stream(stream_url(server, "goes")) as gone, open_stream(stream_url(server, "changes")) as changed:
        for stream in (gone, changed):
            assert next(message for message in stream if message.id == "3")
        for name in ("goes", "changes"):
            assert httpx.delete(f"{server.url}/api/tasks/{name}").is_success
        server.emit("changes", "another one")
        for stream in (gone, changed):
            assert [message.event for message in stream if message.event] == ["reset"]
