"""Test `signalbox relay`, which writes another server's stream into a task."""

from __future__ import annotations

from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from signalbox.store import InvalidEvent, NewEvent, UnknownTask
from signalbox.store.sqlite import SqliteStore
from signalbox.webapp.cli.relay import TOKEN_VARIABLE
from signalbox.webapp.relay.follow_upstream import Relay
from signalbox.webapp.relay.upstream import Upstream as Client
from signalbox.webapp.relay.upstream import UpstreamRefused, checked_url
from tests.support.command import signalbox, start
from tests.support.log import cancel, log_of, task_of, types_of, wait_for_event
from tests.support.relay import LINES, TIME, events, lines_of, numbered, plain, relay
from tests.support.server import Server
from tests.support.upstream import OK, Upstream, header
from tests.support.waiting import wait_until


def test_a_stream_becomes_a_task(url: str, store: SqliteStore) -> None:
    store.people.add_project("tidy", "Tidy")
    done = relay(Upstream(numbered(plain(LINES))), url, "--title", "A refactoring", "--project", "tidy")
    assert (done.returncode, done.stdout, done.stderr) == (0, "t done\n", "")
    assert lines_of(store) == LINES
    assert types_of(store, "t") == ["runner_spawn", *["log"] * len(LINES), "runner_exit"]
    assert {event.payload.get("at") for event in log_of(store, "t") if event.event_type == "log"} == {TIME}
    task = task_of(store, "t")
    assert (task.title, task.kind, task.status, task.project_id) == ("A refactoring", "relay", "done", "tidy")


def test_the_exit_code_reports_a_failed_task(url: str, store: SqliteStore) -> None:
    done = relay(Upstream(plain(["one"], "event: status\ndata: Task failed: no space left")), url)
    assert (done.returncode, done.stdout) == (1, "t failed\n")
    assert task_of(store, "t").error == "no space left"


def test_a_relay_into_an_ended_task_appends_nothing(url: str, store: SqliteStore) -> None:
    upstream = Upstream(plain(["one"]))
    relay(upstream, url)
    before = log_of(store, "t")
    done = relay(upstream, url)
    assert (done.returncode, done.stdout) == (0, "t done\n")
    assert len(upstream.requests) == 1
    assert log_of(store, "t") == before


def test_a_signalbox_server_can_be_the_upstream(server: Server, url: str, store: SqliteStore) -> None:
    server.emit(
        "far",
        NewEvent(event_type="runner_spawn", span_id="main", payload={"runner_pid": 7}),
        NewEvent(event_type="phase_enter", phase="planning", span_id="p", parent_span_id="main"),
        "hello",
        NewEvent(event_type="runner_exit", span_id="main", payload={"exit_code": 3, "message": "no"}),
    )
    done = signalbox("relay", f"{server.url}/sse/tasks/far/events", "--task", "t", "--store", url)
    assert done.returncode == 1
    assert types_of(store, "t") == ["runner_spawn", "runner_spawn", "phase_enter", "log", "runner_exit"]
    task = task_of(store, "t")
    assert (task.status, task.exit_code, task.error, task.phase) == ("failed", 3, "no", "planning")


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        ("200 OK", "text/html", "answers with text/html instead of text/event-stream"),
        ("204 No Content", "text/event-stream", "answered 204 No Content: the stream has ended"),
        (
            "401 Unauthorized",
            "text/plain",
            "a token is missing or wrong (--upstream-token, SIGNALBOX_UPSTREAM_TOKEN)",
        ),
        ("404 Not Found", "text/plain", "answered 404 Not Found: there is no such stream"),
        ("400 Bad Request", "application/json", "answered 400 Bad Request: not like this"),
    ],
)
def test_a_permanent_error_ends_the_relay_and_creates_no_task(
    url: str, store: SqliteStore, status: str, kind: str, words: str
) -> None:
    upstream = Upstream()
    body = '{"error": {"message": "not like this"}}' if "json" in kind else "" if "204" in status else "sorry"
    response = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n{body}"
    upstream.respond = lambda connection: response
    done = relay(upstream, url)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    with pytest.raises(UnknownTask):
        task_of(store, "t")


@pytest.mark.parametrize("address", ["", "nowhere", "ftp://host/x", "http://", "http://host:port/"])
def test_an_invalid_url_is_reported(address: str) -> None:
    with pytest.raises(InvalidEvent, match="an upstream's URL looks like"):
        checked_url(address)


def test_the_token_is_sent_but_never_logged(url: str, store: SqliteStore) -> None:
    upstream = Upstream(plain(["one"]))
    assert relay(upstream, url, **{TOKEN_VARIABLE: "s3cret"}).returncode == 0
    assert header(upstream.requests[0], "Authorization") == "Bearer s3cret"
    assert "s3cret" not in str([event.payload for event in log_of(store, "t")])


def test_a_cancel_on_the_page_ends_the_relay(url: str, store: SqliteStore) -> None:
    upstream = Upstream(plain(["one"])[:1])
    upstream.idle = True
    running = start("relay", upstream.url, "--task", "t", "--store", url)
    wait_for_event(url, "t", lambda event: event.event_type == "log", timeout=60)
    cancel(store, "t", "ann")
    out, _ = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, "t cancelled\n")
    assert task_of(store, "t").status == "cancelled"


def test_a_relay_whose_store_moves_stops_and_continues_there(server: Server, url: str, tmp_path: Path) -> None:
    address = f"{server.url}/sse/tasks/moving/events"
    server.emit("moving", "0")
    running = start("relay", address, "--task", "t", "--store", url)
    wait_for_event(url, "t", lambda event: event.event_type == "log", timeout=60)
    moved = f"sqlite:///{tmp_path}/moved.db"
    assert signalbox("migrate-store", url, moved).returncode == 0
    numbers = count(1)
    wait_until(lambda: server.emit("moving", str(next(numbers))) and running.poll() is not None)
    _, messages = running.communicate()
    assert running.returncode == 1
    assert f"the store was moved to {moved}; use that URL instead" in messages
    server.emit("moving", NewEvent(event_type="runner_exit", payload={"exit_code": 0}))
    assert signalbox("relay", address, "--task", "t", "--store", moved).stdout == "t done\n"
    with closing(SqliteStore(tmp_path / "moved.db", moved)) as store:
        assert lines_of(store) == [str(number) for number in range(next(numbers))]


async def test_a_replaced_upstream_log_is_not_followed(store: SqliteStore) -> None:
    upstream = Upstream(["id: 1\ndata: one", 'event: reset\ndata: {"latest_seq": 0, "earliest_seq": 0}'])
    with pytest.raises(UpstreamRefused, match="was deleted or replaced"):
        await Relay(store, "t", Client(upstream.url), print).run()
    assert len(upstream.requests) == 1
    assert (await events(store))[-1].payload["error_code"] == "upstream_refused"


async def test_a_permission_response_of_the_upstream_is_stored_as_a_claim(store: SqliteStore) -> None:
    answer = '{"event_type": "permission_response", "payload": {"request_id": "q", "approved": true}}'
    blocks = ['data: {"event_type": "permission_request", "payload": {"request_id": "q"}}', f"data: {answer}"]
    upstream = Upstream(numbered([*blocks, f"data: {answer}", *plain(["one"])]))
    assert await Relay(store, "t", Client(upstream.url), print).run() == "done"
    types = [event.event_type for event in await events(store)]
    cleared = ["permission_cleared"] * 2
    assert types == ["runner_spawn", "permission_request", *cleared, "log", "runner_exit"]


def test_the_relay_gives_up_on_a_message_without_an_end(url: str) -> None:
    upstream = Upstream()
    upstream.respond = lambda connection: f"{OK}data: {'x' * (5 << 20)}"
    done = relay(upstream, url)
    assert done.returncode == 1
    assert "sends a message over 4 MiB" in done.stderr
