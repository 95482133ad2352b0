"""Test the cost of a page in a browser: requests, bytes, memory, and its content before any script has run."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from e2e.memory import heap_bytes
from e2e.random_run import run
from tests.support.server import Server

MAX_REQUESTS = 8
MAX_BYTES = 80_000
MAX_HEAP_BYTES = 6_000_000

TASK = "/tasks/heavy"
VIEWS = ["", "/waterfall", "/flame", "/timeline", "/spans", "/conversation", "/artifacts", "/spans/main"]
PATHS = [
    "/tasks",
    *(f"{TASK}{view}" for view in VIEWS),
    "/permissions",
    "/kinds",
    "/search?q=the",
    "/audits",
    "/help",
    "/demo?task=heavy",
]


@pytest.fixture(scope="module")
def heavy_run(shared_server: Server) -> Server:
    """Create a run of 1,500 events, of which a page shows the newest 200."""
    shared_server.emit("heavy", *run(5, 1500))
    return shared_server


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.own_profile
def test_a_cold_page_needs_few_requests_bytes_and_little_memory(heavy_run: Server, page: Page, path: str) -> None:
    requests: set[str] = set()
    received: dict[str, int] = {}

    def count(frame: dict[str, Any]) -> None:
        received[frame["requestId"]] = received.get(frame["requestId"], 0) + frame["encodedDataLength"]

    devtools = page.context.new_cdp_session(page)
    devtools.on("Network.requestWillBeSent", lambda sent: requests.add(sent["requestId"]))
    devtools.on("Network.dataReceived", count)
    devtools.on("Network.loadingFinished", lambda done: received.update({done["requestId"]: done["encodedDataLength"]}))
    devtools.send("Network.enable")
    devtools.send("Network.setCacheDisabled", {"cacheDisabled": True})
    page.goto(heavy_run.url + path)
    settled(page)
    assert 3 <= len(requests) <= MAX_REQUESTS
    assert 10_000 < sum(received.values()) < MAX_BYTES
    assert heap_bytes(page) < MAX_HEAP_BYTES


@pytest.mark.own_profile
def test_rows_are_visible_before_any_module_has_loaded(heavy_run: Server, page: Page) -> None:
    page.route(re.compile(r"/static/(js/page|vendor/htmx)\.js"), lambda route: None)
    page.goto(heavy_run.url + TASK, wait_until="commit")
    expect(page.locator("#log-rows > li").last).to_be_in_viewport()
    page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length === 1")


def test_a_printed_page_has_the_whole_log_and_no_controls(heavy_run: Server, page: Page) -> None:
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(heavy_run.url + TASK)
    settled(page)
    scroller = page.locator(".log-scroll")
    visible_height, full_height = scroller.evaluate("(element) => [element.clientHeight, element.scrollHeight]")
    assert visible_height == full_height
    expect(page.locator("#log-rows > li")).to_have_count(200)
    for control in (".bar", ".log-tools", ".log-follow__bar"):
        expect(page.locator(control)).to_be_hidden()
    ink = page.locator("#log-rows > li .said").first.evaluate("(element) => getComputedStyle(element).color")
    assert max(map(int, re.findall(r"\d+", ink))) < 128, f"{ink} on white paper"


def settled(page: Page) -> None:
    """Wait until the page no longer changes."""
    if page.locator("live-status").count():
        expect(page.locator("live-status")).to_contain_text("Live ·")
    page.wait_for_load_state("load")
