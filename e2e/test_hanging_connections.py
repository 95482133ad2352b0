"""Test that a page gives up on a hanging connection after a while and reconnects."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from e2e.live_checks import expect_equal_to_fresh, expect_live_at, statistics
from e2e.page_behind_proxy import STALE, STREAM
from tests.support.proxy import Proxy
from tests.support.server import Server
from tests.support.waiting import wait_until

NO_ANSWER = b""
HALF_A_REFUSAL = b'HTTP/1.1 503 Busy\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"error":'
NO_MESSAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
HALF_A_MESSAGE = NO_MESSAGE + b"data: <hx-fra"

HOLD = """(slots) => {
  for (const slot of slots) navigator.locks.request(`signalbox:stream:${slot}`, () => new Promise(() => {}));
}"""
"""Holds the slots of stream-limit.js forever, as a page with a hanging script does."""


def wait_for_another_connect(proxy: Proxy, before: int) -> None:
    wait_until(lambda: proxy.count_requests(STREAM) != before, message="the page did not ask for its stream again")


def cut_and_hang(first_bytes_by_proxy: dict[Proxy, bytes]) -> None:
    """Cut the stream behind each proxy, and let the next connect hang after it received these bytes."""
    before = {proxy: proxy.count_requests(STREAM) for proxy in first_bytes_by_proxy}
    for proxy, first_bytes in first_bytes_by_proxy.items():
        proxy.hang(pattern=STREAM, first_bytes=first_bytes)
    for proxy in first_bytes_by_proxy:
        wait_for_another_connect(proxy, before[proxy])
        proxy.heal()


@pytest.mark.long
def test_a_connect_that_hangs_at_any_point_is_retried(
    start_server: Callable[..., Server], context: BrowserContext, connect: Callable[[Server], Proxy]
) -> None:
    server = start_server(keepalive_interval=0.5)
    server.emit("hung", "one")
    begins = {connect(server): begin for begin in (NO_ANSWER, HALF_A_REFUSAL, NO_MESSAGE, HALF_A_MESSAGE)}
    pages: list[Page] = []
    for proxy in begins:
        pages.append(context.new_page())
        pages[-1].goto(f"{proxy.url}/tasks/hung")
    for page in pages:
        expect_live_at(page, 1)
    cut_and_hang(begins)
    server.emit("hung", "two")
    for page in pages:
        expect_live_at(page, 2)
        assert 1 <= statistics(page)["Errors"] <= 3
    expect_equal_to_fresh(pages[0], context)


@pytest.mark.long
def test_pages_queued_behind_a_hanging_connect_become_live(
    start_server: Callable[..., Server], context: BrowserContext, connect: Callable[[Server], Proxy]
) -> None:
    server = start_server(keepalive_interval=0.5)
    proxy = connect(server)
    other = context.new_page()
    other.goto(f"{proxy.url}/static/js/root-path.js")
    other.evaluate(HOLD, [1, 2, 3])
    pages = [context.new_page() for _ in range(2)]
    for number, page in enumerate(pages):
        server.emit(f"line-{number}", "one")
        page.goto(f"{proxy.url}/tasks/line-{number}")
    for page in pages:
        expect_live_at(page, 1)
    before = proxy.count_requests(STREAM)
    proxy.hang(pattern=STREAM)
    wait_for_another_connect(proxy, before)
    pages[0].wait_for_timeout(2500)  # Longer than a turn.
    for page in pages:
        expect(page.locator("live-status")).to_contain_text(STALE)
    for number in range(2):
        server.emit(f"line-{number}", "two")
    proxy.heal()
    for page in pages:
        expect_live_at(page, 2)


@pytest.fixture
def other(server: Server, context: BrowserContext, expect_console: list[str]) -> Page:
    """Return a page that holds all slots until it is closed."""
    expect_console.append("favicon.ico")
    page = context.new_page()
    page.goto(f"{server.url}/static/js/root-path.js")
    page.evaluate(HOLD, [1, 2, 3, 4])
    return page


@pytest.mark.long
@pytest.mark.usefixtures("other")
def test_a_page_becomes_live_although_hanging_pages_hold_every_slot(server: Server, page: Page) -> None:
    server.emit("crowded-out", "one")
    page.goto(f"{server.url}/tasks/crowded-out")
    expect_live_at(page, 1)
    server.emit("crowded-out", "two")
    expect_live_at(page, 2)
    assert statistics(page)["Errors"] == 0


@pytest.mark.own_profile
def test_the_wait_for_a_slot_is_no_silence_of_the_server(server: Server, other: Page, page: Page) -> None:
    server.emit("waiting", "one")
    page.clock.install()
    held: list[Route] = []
    hold = held.append
    page.route("**/stream?*", lambda route: hold(route))
    page.goto(f"{server.url}/tasks/waiting")
    other.wait_for_function("async () => (await navigator.locks.query()).pending.length > 0")
    # Together these times are longer than `connectTimeout`.
    with page.expect_request("**/stream?*"):
        page.clock.fast_forward(5500)
        other.close()
    page.clock.fast_forward(4600)
    # A page that waited for too long reads without a slot, and asks again after five seconds.
    hold = Route.continue_
    for route in held:
        route.continue_()
    expect_live_at(page, 1)
    assert statistics(page)["Errors"] == 0
