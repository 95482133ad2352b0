"""Test that a browser's own EventSource works without any module of this project."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.support.server import Server

LISTEN = """path => {
  window.seen = [];
  window.resets = 0;
  const source = new EventSource(path);
  source.onmessage = (event) => window.seen.push(JSON.parse(event.data).payload.message);
  source.addEventListener('reset', () => (window.resets += 1));
}"""


@pytest.mark.long
def test_an_event_source_restarts_when_the_database_was_restored(
    start_server: Callable[..., Server], page: Page, expect_console: list[str]
) -> None:
    expect_console.append("Failed to load resource|net::ERR_")
    server = start_server()
    server.emit("run", *[f"old {n}" for n in range(1, 6)])
    page.goto(f"{server.url}/sse/health")  # Use a page without live modules, because those would reload it.
    page.evaluate(LISTEN, "/sse/tasks/run/events")
    page.wait_for_function("() => window.seen.length === 5")
    server.replace_database()
    server.emit("run", *[f"new {n}" for n in range(1, 4)])
    server.start()
    page.wait_for_function("() => window.seen.length === 8")
    assert page.evaluate("() => [window.seen.slice(5), window.resets]") == [["new 1", "new 2", "new 3"], 1]
