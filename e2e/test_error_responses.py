"""Test answers that are not the stream: the page shows them, and retries where a retry can help."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from e2e.live_checks import expect_equal_to_fresh, expect_live_at, expect_rows
from e2e.page_behind_proxy import STALE, STREAM, open_task
from tests.support.proxy import Proxy
from tests.support.server import Server


@pytest.mark.long
def test_a_page_recovers_from_a_short_bad_gateway(
    server: Server, page: Page, context: BrowserContext, connect: Callable[[Server], Proxy]
) -> None:
    bad_gateway(page, context, connect(server), server, "gateway", seconds=3)


@pytest.mark.soak
def test_a_page_recovers_from_twenty_seconds_of_bad_gateway(
    server: Server, page: Page, context: BrowserContext, connect: Callable[[Server], Proxy]
) -> None:
    bad_gateway(page, context, connect(server), server, "gateway-20", seconds=20)


def bad_gateway(
    page: Page, context: BrowserContext, proxy: Proxy, server: Server, task: str, *, seconds: float
) -> None:
    events = open_task(page, proxy, server, task)
    before, broken = proxy.count_requests(STREAM), time.monotonic()
    proxy.respond("502 Bad Gateway", body="<h1>502 Bad Gateway</h1>")
    expect(page.locator("live-status")).to_contain_text("the server is not reachable")
    server.emit(task, *events)
    page.wait_for_timeout(seconds * 1000)
    request_count = proxy.count_requests(STREAM) - before
    assert request_count <= 2 + (time.monotonic() - broken) / 2, "too many requests to the gateway"
    proxy.heal()
    expect_live_at(page, 240)
    expect_equal_to_fresh(page, context)
    expect(page.locator("body")).not_to_contain_text("Bad Gateway")


@pytest.mark.long
def test_a_busy_server_is_retried_after_its_wait_or_on_request(
    server: Server, page: Page, context: BrowserContext, connect: Callable[[Server], Proxy]
) -> None:
    proxy = connect(server)
    events = open_task(page, proxy, server, "busy")
    proxy.respond("503 Service Unavailable", "Retry-After: 60\r\n", pattern=STREAM)
    expect(page.locator("live-status")).to_contain_text(re.compile(r"Retry in (60|5\d) s"))
    request_count = proxy.count_requests(STREAM)
    server.emit("busy", *events)
    proxy.heal()
    page.wait_for_timeout(1500)
    assert proxy.count_requests(STREAM) == request_count
    page.get_by_role("button", name="Retry now").click()
    expect_live_at(page, 240)
    expect_equal_to_fresh(page, context)


@pytest.mark.long
def test_a_page_over_the_stream_limit_waits_and_says_why(
    start_server: Callable[..., Server], page: Page, context: BrowserContext, expect_console: list[str]
) -> None:
    expect_console.append("status of 503")
    server = start_server(max_streams=1)
    server.emit("full", "one")
    other = context.new_page()
    other.goto(f"{server.url}/tasks/full")
    expect_live_at(other, 1)
    page.goto(f"{server.url}/tasks/full")
    expect(page.locator("live-status")).to_contain_text("the server has reached its limit of open streams")
    expect(page.locator("live-status")).to_contain_text(re.compile(r"Retry in \d s"))
    other.close()
    expect_live_at(page, 1)


@pytest.mark.parametrize("how", ["502", "hang up"])
def test_a_first_connect_that_fails_is_retried(
    server: Server, page: Page, context: BrowserContext, connect: Callable[[Server], Proxy], how: str
) -> None:
    proxy, task = connect(server), f"first-{how[0]}"
    server.emit(task, "one", "two")
    if how == "502":
        proxy.respond("502 Bad Gateway", pattern=STREAM)
    else:
        proxy.hang_up(pattern=STREAM)
    page.goto(f"{proxy.url}/tasks/{task}")
    expect(page.locator("live-status")).to_contain_text(STALE)
    expect(page.locator("live-status")).to_contain_text(re.compile(r"Retry in \d s"))
    proxy.heal()
    expect_live_at(page, 2)
    expect_equal_to_fresh(page, context)


@pytest.mark.long
def test_a_permanent_error_is_shown_and_not_retried(
    server: Server, context: BrowserContext, connect: Callable[[Server], Proxy]
) -> None:
    server.emit("refused", "one")
    answers = {"401 Unauthorized": "logged out", "403 Forbidden": "not allowed", "404 Not Found": "unknown task"}
    proxies = []
    for response, message in answers.items():
        proxies.append(connect(server))
        page = context.new_page()
        page.goto(f"{proxies[-1].url}/tasks/refused")
        expect_live_at(page, 1)
        proxies[-1].respond(response, body="<h1>Log in</h1>", pattern=STREAM)
        expect(page.locator("live-status")).to_contain_text(message)
        expect(page.locator("html")).to_have_attribute("data-live", "error")
        expect(page.locator("main")).to_contain_text("one")
        expect(page.locator("body")).not_to_contain_text("Log in")
    request_counts = [proxy.count_requests(".") for proxy in proxies]
    page.wait_for_timeout(2500)
    assert [proxy.count_requests(".") for proxy in proxies] == request_counts


def test_a_deleted_task_is_reported_and_its_last_state_stays_visible(
    server: Server, page: Page, connect: Callable[[Server], Proxy]
) -> None:
    proxy = connect(server)
    open_task(page, proxy, server, "deleted")
    server.store.delete_task("deleted")
    proxy.cut()
    expect(page.locator("live-status")).to_contain_text(re.compile("no task|unknown task"))
    expect(page.locator("html")).to_have_attribute("data-live", "error")
    expect_rows(page, 1, 40)
