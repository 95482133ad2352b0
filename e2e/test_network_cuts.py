"""Test that after any failure between page and server, the page reports it, reconnects, and equals a fresh one."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from e2e.live_checks import expect_equal_to_fresh, expect_live_at, expect_rows, statistics
from e2e.page_behind_proxy import STALE, STREAM, open_task
from e2e.random_run import run
from tests.support.proxy import Proxy
from tests.support.server import Server

A_MINUTE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nretry: 60000\nevent: hint\ndata: wait\n\n"
"""A stream that asks the page to wait for a minute before it reconnects."""

HINTED = """() => void (window.hinted = new Promise((resolve) => {
  document.addEventListener('htmx:sse:after:message', ({detail}) => detail.message.event === 'hint' && resolve());
}))"""
"""Lets `hinted` resolve once the page has read that message."""


def cut_and_return(
    page: Page, context: BrowserContext, proxy: Proxy, server: Server, task: str, *, seconds: float
) -> None:
    events = open_task(page, proxy, server, task)
    status, clock = page.locator("live-status"), page.locator("#task-header running-clock")

    proxy.shut()
    cut = time.monotonic()
    expect(status).to_contain_text(STALE)  # The watchdog would notice it after 35 s.
    expect(status).to_contain_text("Reconnecting")
    expect(status).to_contain_text(re.compile(r"Retry in \d+ s"))
    expect(clock).to_have_attribute("data-stopped", "")
    clock_text, since = clock.text_content(), STALE.search(status.text_content() or "")
    for start in range(0, 200, 10):
        server.emit(task, *events[start : start + 10])
    page.wait_for_timeout(max(0, seconds - (time.monotonic() - cut)) * 1000)
    assert clock.text_content() == clock_text
    assert since is not None
    assert since.group() in (status.text_content() or "")

    proxy.heal()
    expect_live_at(page, 240)
    expect_equal_to_fresh(page, context)
    expect_rows(page, 41, 240)
    expect(clock).not_to_have_attribute("data-stopped", "")
    assert statistics(page)["Events"] == 200


@pytest.mark.long
def test_a_network_cut_is_shown_at_once_and_loses_nothing(
    server: Server, page: Page, context: BrowserContext, connect: Callable[[Server], Proxy]
) -> None:
    cut_and_return(page, context, connect(server), server, "cut", seconds=3)


@pytest.mark.long
def test_a_page_with_a_minute_to_wait_reconnects_as_soon_as_the_server_answers(
    server: Server, page: Page, context: BrowserContext, connect: Callable[[Server], Proxy]
) -> None:
    proxy = connect(server)
    events = open_task(page, proxy, server, "patient")
    page.evaluate(HINTED)
    proxy.hang(pattern=STREAM, first_bytes=A_MINUTE)
    page.evaluate("hinted")
    proxy.shut()
    expect(page.locator("live-status")).to_contain_text(re.compile(r"Retry in (60|5\d) s"))
    server.emit("patient", *events)
    proxy.heal()
    expect_live_at(page, 240)
    expect_equal_to_fresh(page, context)


@pytest.mark.soak
def test_cuts_of_ten_seconds_and_a_minute_lose_nothing(
    server: Server, page: Page, context: BrowserContext, connect: Callable[[Server], Proxy]
) -> None:
    for seconds in (10, 60):
        cut_and_return(page, context, connect(server), server, f"cut-{seconds}", seconds=seconds)


@pytest.mark.long
def test_a_page_continues_after_its_server_was_killed_and_restarted(
    start_server: Callable[..., Server], page: Page, context: BrowserContext, connect: Callable[[Server], Proxy]
) -> None:
    server = start_server()
    events = open_task(page, connect(server), server, "killed")
    server.kill()
    expect(page.locator("live-status")).to_contain_text(STALE)
    server.emit("killed", *events[:100])
    server.start()
    server.emit("killed", *events[100:])
    expect_live_at(page, 240)
    expect_equal_to_fresh(page, context)
    expect_rows(page, 41, 240)


@pytest.mark.long
def test_a_stopped_server_asks_pages_to_wait_and_this_is_no_error(
    start_server: Callable[..., Server], page: Page, context: BrowserContext, expect_console: list[str]
) -> None:
    # The next server may need more time to start than the requested wait.
    expect_console.append(r"net::ERR_|Failed to fetch")
    server = start_server()
    server.emit("stopped", "one", "two")
    page.goto(f"{server.url}/tasks/stopped")
    expect_live_at(page, 2)
    page.evaluate(
        """() => void (window.lost_state = new Promise((resolve) => {
            document.addEventListener('live:state', ({ detail }) => detail.delay && resolve(detail));
        }))"""
    )
    server.stop()
    assert "cut off" not in server.log
    lost_state = page.evaluate("lost_state")
    assert (lost_state["state"], lost_state["message"]) == ("reconnecting", "the server asked to reconnect")
    assert 200 <= lost_state["delay"] <= 3000
    assert lost_state["stats"]["errors"] == 0
    expect(page.locator("live-status")).to_contain_text(STALE)
    server.emit("stopped", "three")
    server.start()
    expect_live_at(page, 3)
    expect_equal_to_fresh(page, context)


@pytest.mark.long
def test_a_half_open_connection_is_detected_by_its_silence(
    start_server: Callable[..., Server], page: Page, context: BrowserContext, connect: Callable[[Server], Proxy]
) -> None:
    server = start_server(keepalive_interval=0.5)
    proxy = connect(server)
    events = open_task(page, proxy, server, "stall")
    proxy.stall()
    moments = "[0, 1, 2, 3, 4].map((s) => new Date(Date.now() - s * 1000).toLocaleTimeString([], {hour12: false}))"
    last_heard = page.evaluate(moments)
    server.emit("stall", *events)
    expect(page.locator("live-status")).to_contain_text("no data for 6 s")
    expect(page.locator("live-status")).to_contain_text(re.compile(f"Stale since ({'|'.join(last_heard)})"))
    proxy.heal()
    expect_live_at(page, 240)
    expect_equal_to_fresh(page, context)
    expect_rows(page, 41, 240)


@pytest.mark.long
def test_a_frame_lost_in_transit_is_detected_and_fetched(
    start_server: Callable[..., Server], page: Page, context: BrowserContext, connect: Callable[[Server], Proxy]
) -> None:
    server = start_server(stream_compression=False)
    proxy = connect(server)
    events = open_task(page, proxy, server, "lost")
    lost = proxy.drop_next_write(b"id: 45\n")
    server.emit("lost", *events[:5])
    assert lost.wait(30)
    server.emit("lost", *events[5:])
    expect_live_at(page, 240)
    expect_equal_to_fresh(page, context)
    expect_rows(page, 41, 240)
    assert statistics(page) == {"Events": 200, "Reconnects": 0, "Gaps found": 1, "Gaps recovered": 1, "Errors": 0}


@pytest.mark.long
@pytest.mark.parametrize("length", [3, 300])
def test_a_page_reloads_when_the_database_was_replaced(
    start_server: Callable[..., Server],
    page: Page,
    context: BrowserContext,
    connect: Callable[[Server], Proxy],
    length: int,
) -> None:
    server = start_server()
    open_task(page, connect(server), server, "replaced")
    server.replace_database()
    server.emit("replaced", *[f"new {number}" for number in range(1, length + 1)])
    server.start()
    expect_live_at(page, length)
    expect_equal_to_fresh(page, context)
    expect_rows(page, max(1, length - 199), length)
    expect(page.locator("#log-rows")).to_contain_text(f"new {length}")


@pytest.mark.long
def test_a_stream_that_ends_every_fifty_events_looks_like_one_stream(
    start_server: Callable[..., Server], page: Page, context: BrowserContext
) -> None:
    server = start_server(max_events_per_stream=50)
    events = list(run(6, 500))
    server.emit("short", *events[:20])
    page.goto(f"{server.url}/tasks/short")
    expect_live_at(page, 20)
    for start in range(20, len(events), 7):
        server.emit("short", *events[start : start + 7])
        if start % 5 == 0:  # A page that is far behind gets everything at once, on one stream.
            expect_live_at(page, server.latest("short"))
    expect_live_at(page, server.latest("short"))
    expect_equal_to_fresh(page, context)
    figures = statistics(page)
    assert figures["Reconnects"] >= 2
    assert figures["Errors"] == figures["Gaps found"] == 0
