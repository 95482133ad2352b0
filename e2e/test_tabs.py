"""Test many pages in one browser: all are live, clicks are fast, and hidden pages hold no stream."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from e2e.browser import ARGS, find
from e2e.live_checks import MAIN, expect_equal_to_fresh, expect_live_at, statistics
from e2e.random_run import run
from e2e.window import Window, open_window
from tests.support.server import Server
from tests.support.waiting import wait_until

TASKS = [f"tab-{number}" for number in range(8)]


@pytest.fixture
def window(browser: Browser, tmp_path: Path) -> Iterator[Window]:
    with open_window(find(browser.browser_type, windows=True), tmp_path / "profile") as opened:
        yield opened


def streams(server: Server) -> int:
    return int(server.get("/sse/health").json()["streams"])


def wait_for_streams(server: Server, count: int) -> None:
    wait_until(lambda: streams(server) == count, message=f"the server did not have {count} open streams")


@pytest.mark.long
def test_eight_windows_are_all_live_and_a_click_is_answered_at_once(
    start_server: Callable[..., Server], context: BrowserContext
) -> None:
    server = start_server()
    for task in TASKS:
        server.emit(task, "one")
    pages = [context.new_page() for _ in TASKS]
    for page, task in zip(pages, TASKS, strict=True):
        page.goto(f"{server.url}/tasks/{task}")
    for page in pages:
        expect_live_at(page, 1)
    for length in (51, 101):
        for task in TASKS:
            server.emit(task, *["more"] * 50)
        for page in pages:
            expect_live_at(page, length)
    # More streams would leave too few of the browser's six connections. The server may notice a closed one later.
    wait_until(lambda: streams(server) <= 4, message="the server had more than 4 open streams")
    pages[7].get_by_role("link", name="Tasks", exact=True).click()
    expect(pages[7].get_by_role("link", name="tab-3")).to_be_visible()
    expect_equal_to_fresh(pages[6], context)
    for page in pages[:7]:
        assert statistics(page)["Reconnects"] == statistics(page)["Errors"] == 0


@pytest.mark.long
def test_hidden_tabs_hold_no_stream(start_server: Callable[..., Server], window: Window) -> None:
    server = start_server()
    for task in TASKS:
        server.emit(task, "one")
    tabs = [window.open(f"{server.url}/tasks/{task}") for task in TASKS]
    tabs[7].wait_until_live_at(1)
    assert tabs[0].evaluate("document.visibilityState") == "hidden"
    wait_for_streams(server, 1)
    for task in TASKS:
        server.emit(task, "two")
    for tab in tabs:
        tab.show()
        tab.wait_until_live_at(2)
    wait_for_streams(server, 1)


def hide_and_return(server: Server, window: Window, *, seconds: float) -> None:
    events = list(run(8, 300))
    server.emit("hidden", *events[:40])
    tab = window.open(f"{server.url}/tasks/hidden")
    tab.wait_until_live_at(40)
    other = window.open("about:blank")
    tab.wait_for("document.hidden")
    wait_for_streams(server, 0)
    assert tab.evaluate("document.documentElement.dataset.live") == "stale"
    server.emit("hidden", *events[40:])
    time.sleep(seconds)
    tab.show()
    tab.wait_until_live_at(len(events))
    fresh = window.open(f"{server.url}/tasks/hidden")
    fresh.wait_until_live_at(len(events))
    assert tab.evaluate(f"({MAIN})()") == fresh.evaluate(f"({MAIN})()")
    assert other.evaluate("document.hidden")


@pytest.mark.long
def test_a_hidden_tab_shows_the_newest_state_when_shown_again(
    start_server: Callable[..., Server], window: Window
) -> None:
    hide_and_return(start_server(), window, seconds=0)


@pytest.mark.soak
def test_a_tab_hidden_for_a_minute_shows_the_newest_state(start_server: Callable[..., Server], window: Window) -> None:
    hide_and_return(start_server(), window, seconds=60)


@pytest.mark.long
def test_a_page_from_the_back_forward_cache_shows_the_newest_state(
    start_server: Callable[..., Server], browser: Browser
) -> None:
    server = start_server()
    events = list(run(9, 200))
    server.emit("cached", *events[:40])
    # Playwright turns this cache off by default, and a headless shell has none.
    caching = browser.browser_type.launch(
        executable_path=find(browser.browser_type, windows=True),
        args=ARGS,
        ignore_default_args=["--disable-back-forward-cache"],
    )
    try:
        context = caching.new_context()
        page = context.new_page()
        page.goto(f"{server.url}/tasks/cached")
        expect_live_at(page, 40)
        page.evaluate("addEventListener('pageshow', (event) => window.persisted = event.persisted)")
        page.goto(f"{server.url}/tasks?q=nothing")
        wait_for_streams(server, 1)
        server.emit("cached", *events[40:])
        page.go_back(wait_until="commit")
        expect_live_at(page, len(events))
        assert page.evaluate("persisted") is True
        expect_equal_to_fresh(page, context)
    finally:
        caching.close()
