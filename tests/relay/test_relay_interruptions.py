"""Test that a relay loses and repeats no event when the upstream, the server or the relay itself is interrupted."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from pathlib import Path

import pytest

from signalbox.store.sqlite import SqliteStore
from signalbox.webapp.relay import backoff, follow_upstream
from signalbox.webapp.relay.follow_upstream import Relay
from signalbox.webapp.relay.upstream import Upstream as Client
from signalbox.webapp.relay.upstream import UpstreamRefused
from tests.support.command import signalbox, start
from tests.support.log import wait_for_event
from tests.support.relay import LINES, SUCCESS, events, lines_of, numbered, plain, relay
from tests.support.server import Server
from tests.support.upstream import Upstream, header

BUSY = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: 0\r\nConnection: close\r\n\r\n"
MISSING = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("ids", [True, False])
def test_connection_cuts_lose_and_repeat_no_event(url: str, store: SqliteStore, ids: bool) -> None:
    upstream = Upstream(numbered(plain(LINES)) if ids else plain(LINES))
    # Without ids, the upstream starts from the first message on each connection, and gets a little further each time.
    upstream.cut_after_blocks = lambda connection: 8 * (1 if ids else connection + 1) if connection < 3 else None
    assert relay(upstream, url).returncode == 0
    assert lines_of(store) == LINES
    assert [header(request, "Last-Event-ID") for request in upstream.requests] == (
        ["", "8", "16", "24"] if ids else [""] * 4
    )


@pytest.mark.parametrize("ids", [True, False])
def test_a_killed_relay_continues_where_the_log_ends(url: str, store: SqliteStore, ids: bool) -> None:
    upstream = Upstream(numbered(plain(LINES)) if ids else plain(LINES))
    upstream.idle = True
    upstream.cut_after_blocks = lambda connection: 10 if connection == 0 else None
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
    upstream.cut_after_blocks = lambda connection: 10 if connection == 0 else None
    upstream.idle = True
    try:
        running = start("relay", upstream.url, "--task", "t", "--server", server.url)
        wait_for_event(server.store_url, "t", lambda event: event.payload.get("message") == "line 10", timeout=60)
        server.kill()
        upstream.shut()
        running.send_signal(signal.SIGTERM)
        _, stderr = running.communicate(timeout=60)
        assert (running.returncode, stderr.count("the same command resumes t")) == (130, 1)
        upstream.listen()
        server.start()
        assert signalbox("relay", upstream.url, "--task", "t", "--server", server.url).returncode == 0
        assert lines_of(server.store) == LINES
    finally:
        server.close()


async def test_an_outage_and_its_end_are_each_reported_once(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow_upstream, "REPORT_AFTER", 0.0)
    upstream = Upstream(numbered(plain(["one", "two"])))
    upstream.cut_after_blocks = lambda connection: 1 if connection == 0 else None
    upstream.respond = lambda connection: BUSY if connection in (1, 2, 3) else None
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
    upstream.cut_after_blocks = lambda connection: 1 if connection == 0 else None
    started_at = time.monotonic()
    assert await Relay(store, "t", Client(upstream.url), print).run() == "done"
    assert time.monotonic() - started_at >= 0.7


async def test_a_short_refusal_of_the_upstream_is_retried(store: SqliteStore) -> None:
    upstream = Upstream(numbered(plain(["one", "two"])))
    upstream.cut_after_blocks = lambda connection: 1 if connection == 0 else None
    upstream.respond = lambda connection: MISSING if connection in (1, 2) else None
    assert await Relay(store, "t", Client(upstream.url), print).run() == "done"


async def test_a_permanent_refusal_of_the_upstream_interrupts_the_task(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow_upstream, "REFUSAL_TIMEOUT_S", 0.0)
    upstream = Upstream(numbered(plain(["one", "two"])))
    upstream.cut_after_blocks = lambda connection: 1 if connection == 0 else None
    upstream.respond = lambda connection: MISSING if connection == 1 else None
    with pytest.raises(UpstreamRefused, match="404 Not Found"):
        await Relay(store, "t", Client(upstream.url), print).run()
    last = (await events(store))[-1]
    assert (last.event_type, last.payload["status"]) == ("runner_exit", "interrupted")
    # A relay that starts after the upstream is corrected continues the task.
    assert await Relay(store, "t", Client(upstream.url), print).run() == "done"
    assert [event.payload["message"] for event in await events(store) if event.event_type == "log"] == ["one", "two"]


@pytest.mark.parametrize("ids", [True, False])
async def test_a_cut_at_any_byte_loses_no_event(store: SqliteStore, monkeypatch: pytest.MonkeyPatch, ids: bool) -> None:
    monkeypatch.setattr(backoff, "FIRST_WAIT", 0.001)
    lines = [f"{'long ' * (number % 40)}{number}" for number in range(300)]
    upstream, dice = Upstream(numbered(plain(lines)) if ids else plain(lines)), random.Random(7)
    # Without ids, each connection must get further than the one before.
    upstream.cut_after_bytes = lambda connection: dice.randrange(500, 4000) + (0 if ids else 4000 * connection)
    assert await Relay(store, "t", Client(upstream.url), print).run() == "done"
    assert [event.payload["message"] for event in await events(store) if event.event_type == "log"] == lines
    assert len(upstream.requests) > 5


async def test_two_relays_of_one_upstream_write_one_log(store: SqliteStore) -> None:
    upstream = Upstream(numbered(plain(LINES)))
    upstream.cut_after_blocks = lambda connection: 7 if connection < 4 else None
    both = [Relay(store, "t", Client(upstream.url), print).run() for _ in range(2)]
    assert await asyncio.gather(*both) == ["done", "done"]
    assert [event.payload["message"] for event in await events(store) if event.event_type == "log"] == LINES


async def test_the_relay_waits_for_an_upstream_that_starts_later(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow_upstream, "REPORT_AFTER", 0.0)
    upstream = Upstream(plain(["one"]))
    upstream.shut()
    running = asyncio.create_task(Relay(store, "t", Client(upstream.url), print).run())
    status = await asyncio.to_thread(wait_for_event, store.url, "t", lambda event: event.event_type == "status")
    assert "does not answer" in status.payload["message"]
    upstream.listen()
    assert await running == "done"
    assert [event.payload["message"] for event in await events(store) if event.event_type == "log"] == ["one"]
