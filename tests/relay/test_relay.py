"""Test `signalbox relay`, which writes another server's stream into a task."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from signalbox.store import Event, InvalidEvent, NewEvent, UnknownTask
from signalbox.store.sqlite import SqliteStore
from signalbox.webapp.cli.relay import TOKEN_VARIABLE
from signalbox.webapp.relay import backoff, follow_upstream
from signalbox.webapp.relay.follow_upstream import Relay
from signalbox.webapp.relay.upstream import Refused, checked_url
from signalbox.webapp.relay.upstream import Upstream as Client
from tests.support.command import signalbox, start
from tests.support.log import cancel, log_of, task_of, types_of, wait_for_event
from tests.support.server import Server
from tests.support.upstream import OK, Upstream, header

TIME = "2026-11-21T14:02:07Z"
LINES = [f"line {number}" for number in range(1, 31)]
SUCCESS = "event: status\ndata: Task success"
BUSY = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: 0\r\nConnection: close\r\n\r\n"
MISSING = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def plain(lines: list[str], end: str = SUCCESS) -> list[str]:
    return [*(f"event: log\ndata: {TIME} {line}" for line in lines), end]


def numbered(blocks: list[str]) -> list[str]:
    return [f"id: {number}\n{block}" for number, block in enumerate(blocks, 1)]


def relay(upstream: Upstream, url: str, *more: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return signalbox("relay", upstream.url, "--task", "t", "--store", url, *more, **variables)


def lines_of(store: SqliteStore) -> list[str]:
    return [event.payload["message"] for event in log_of(store, "t") if event.event_type == "log"]


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


def test_an_ended_task_is_left_alone(url: str, store: SqliteStore) -> None:
    upstream = Upstream(plain(["one"]))
    relay(upstream, url)
    before = log_of(store, "t")
    done = relay(upstream, url)
    assert (done.returncode, done.stdout) == (0, "t done\n")
    assert len(upstream.requests) == 1
    assert log_of(store, "t") == before


@pytest.mark.parametrize("ids", [True, False])
def test_connection_cuts_lose_and_repeat_no_event(url: str, store: SqliteStore, ids: bool) -> None:
    upstream = Upstream(numbered(plain(LINES)) if ids else plain(LINES))
    # Without ids, the upstream starts from the first message on each connection, and gets a little further each time.
    upstream.cut = lambda connection: 8 * (1 if ids else connection + 1) if connection < 3 else None
    assert relay(upstream, url).returncode == 0
    assert lines_of(store) == LINES
    assert [header(request, "Last-Event-ID") for request in upstream.requests] == (
        ["", "8", "16", "24"] if ids else [""] * 4
    )


@pytest.mark.parametrize("ids", [True, False])
def test_a_killed_relay_continues_where_the_log_ends(url: str, store: SqliteStore, ids: bool) -> None:
    upstream = Upstream(numbered(plain(LINES)) if ids else plain(LINES))
    upstream.idle = True
    upstream.cut = lambda connection: 10 if connection == 0 else None
    first = start("relay", upstream.url, "--task", "t", "--store", url)
    wait_for_event(url, "t", lambda event: event.payload.get("message") == "line 10", timeout=60)
    first.kill()
    first.communicate()
    assert relay(upstream, url).returncode == 0
    assert lines_of(store) == LINES
    assert header(upstream.requests[1], "Last-Event-ID") == ("10" if ids else "")


def test_a_relay_survives_a_restart_of_the_server_it_writes_to(tmp_path: Path) -> None:
    server = Server(tmp_path).start()
    upstream = Upstream(numbered(plain(LINES)))
    upstream.cut = lambda connection: 10 if connection == 0 else None
    upstream.idle = True
    try:
        running = start("relay", upstream.url, "--task", "t", "--server", server.url)
        wait_for_event(server.store_url, "t", lambda event: event.payload.get("message") == "line 10", timeout=60)
        server.kill()
        upstream.shut()
        running.send_signal(signal.SIGTERM)
        _, told = running.communicate(timeout=60)
        assert (running.returncode, told.count("the same command resumes t")) == (130, 1)
        upstream.listen()
        server.start()
        assert signalbox("relay", upstream.url, "--task", "t", "--server", server.url).returncode == 0
        assert lines_of(server.store) == LINES
    finally:
        server.close()


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
    answer = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n{body}"
    upstream.answer = lambda connection: answer
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


async def test_an_outage_and_its_end_are_each_reported_once(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow_upstream, "REPORT_AFTER", 0.0)
    upstream = Upstream(numbered(plain(["one", "two"])))
    upstream.cut = lambda connection: 1 if connection == 0 else None
    upstream.answer = lambda connection: BUSY if connection in (1, 2, 3) else None
    said: list[str] = []
    assert await Relay(store, "t", Client(upstream.url), said.append).run() == "done"
    types = [event.event_type for event in await events(store)]
    assert types == ["runner_spawn", "log", "status", "status", "log", "runner_exit"]
    assert [text.partition("/stream ")[2] for text in said] == [
        "ended its stream without a final status; trying again",
        "answers again",
    ]


async def test_the_upstreams_retry_after_is_respected(store: SqliteStore) -> None:
    upstream = Upstream(["retry: 700\nid: 1\ndata: one", f"id: 2\n{SUCCESS}"])
    upstream.cut = lambda connection: 1 if connection == 0 else None
    begun = time.monotonic()
    assert await Relay(store, "t", Client(upstream.url), print).run() == "done"
    assert time.monotonic() - begun >= 0.7


async def test_a_short_refusal_of_the_upstream_is_retried(store: SqliteStore) -> None:
    upstream = Upstream(numbered(plain(["one", "two"])))
    upstream.cut = lambda connection: 1 if connection == 0 else None
    upstream.answer = lambda connection: MISSING if connection in (1, 2) else None
    assert await Relay(store, "t", Client(upstream.url), print).run() == "done"


async def test_a_lasting_refusal_of_the_upstream_interrupts_the_task(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow_upstream, "REFUSAL_PATIENCE", 0.0)
    upstream = Upstream(numbered(plain(["one", "two"])))
    upstream.cut = lambda connection: 1 if connection == 0 else None
    upstream.answer = lambda connection: MISSING if connection == 1 else None
    with pytest.raises(Refused, match="404 Not Found"):
        await Relay(store, "t", Client(upstream.url), print).run()
    last = (await events(store))[-1]
    assert (last.event_type, last.payload["status"]) == ("runner_exit", "interrupted")
    # A relay that starts after the upstream is corrected continues the task.
    assert await Relay(store, "t", Client(upstream.url), print).run() == "done"
    assert [event.payload["message"] for event in await events(store) if event.event_type == "log"] == ["one", "two"]


def test_a_cancel_on_the_page_ends_the_relay(url: str, store: SqliteStore) -> None:
    upstream = Upstream(plain(["one"])[:1])
    upstream.idle = True
    running = start("relay", upstream.url, "--task", "t", "--store", url)
    wait_for_event(url, "t", lambda event: event.event_type == "log", timeout=60)
    cancel(store, "t", "ann")
    out, _ = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, "t cancelled\n")
    assert task_of(store, "t").status == "cancelled"


async def test_a_replaced_upstream_log_is_not_followed(store: SqliteStore) -> None:
    upstream = Upstream(["id: 1\ndata: one", 'event: reset\ndata: {"latest_seq": 0, "earliest_seq": 0}'])
    with pytest.raises(Refused, match="was deleted or replaced"):
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


@pytest.mark.parametrize("ids", [True, False])
async def test_a_cut_at_any_byte_loses_no_event(store: SqliteStore, monkeypatch: pytest.MonkeyPatch, ids: bool) -> None:
    monkeypatch.setattr(backoff, "FIRST_WAIT", 0.001)
    lines = [f"{'long ' * (number % 40)}{number}" for number in range(300)]
    upstream, dice = Upstream(numbered(plain(lines)) if ids else plain(lines)), random.Random(7)
    # Without ids, each connection must get further than the one before.
    upstream.tear = lambda connection: dice.randrange(500, 4000) + (0 if ids else 4000 * connection)
    assert await Relay(store, "t", Client(upstream.url), print).run() == "done"
    assert [event.payload["message"] for event in await events(store) if event.event_type == "log"] == lines
    assert len(upstream.requests) > 5


async def test_two_relays_of_one_upstream_write_one_log(store: SqliteStore) -> None:
    upstream = Upstream(numbered(plain(LINES)))
    upstream.cut = lambda connection: 7 if connection < 4 else None
    both = [Relay(store, "t", Client(upstream.url), print).run() for _ in range(2)]
    assert await asyncio.gather(*both) == ["done", "done"]
    assert [event.payload["message"] for event in await events(store) if event.event_type == "log"] == LINES


async def events(store: SqliteStore) -> list[Event]:
    async with store.read() as view:
        return await view.events("t", 0, 1000)


def test_the_relay_gives_up_on_a_message_without_an_end(url: str) -> None:
    upstream = Upstream()
    upstream.answer = lambda connection: f"{OK}data: {'x' * (5 << 20)}"
    done = relay(upstream, url)
    assert done.returncode == 1
    assert "sends a message over 4 MiB" in done.stderr


async def test_the_relay_waits_for_an_upstream_that_starts_later(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow_upstream, "REPORT_AFTER", 0.0)
    upstream = Upstream(plain(["one"]))
    upstream.shut()
    running = asyncio.create_task(Relay(store, "t", Client(upstream.url), print).run())
    told = await asyncio.to_thread(wait_for_event, store.url, "t", lambda event: event.event_type == "status")
    assert "does not answer" in told.payload["message"]
    upstream.listen()
    assert await running == "done"
    assert [event.payload["message"] for event in await events(store) if event.event_type == "log"] == ["one"]
