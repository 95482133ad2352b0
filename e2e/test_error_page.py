"""Test that a page that the server could not answer comes back by itself."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.support.server import Server
from tests.support.waiting import wait_until

TIMEOUT_MS = 30_000


def test_a_page_comes_back_with_the_database_and_with_the_server(
    start_server: Callable[..., Server], page: Page, expect_console: list[str]
) -> None:
    expect_console.append(r"status of 503|net::ERR_")
    server = start_server()
    server.emit("kept", "one")
    away = server.path.with_name("away.db")
    server.path.rename(away)
    wait_until_unavailable(server)
    page.goto(f"{server.url}/tasks/kept")
    expect(page.get_by_role("heading")).to_have_text("The server cannot answer right now")
    expect(page.locator("main")).to_contain_text("database file was deleted or moved away")
    expect(page.locator("main")).to_contain_text(re.compile(r"The next try is in \d+ s\.|Trying …"))
    away.rename(server.path)
    expect(page.locator("#log-rows li")).to_have_count(1, timeout=TIMEOUT_MS)

    server.path.rename(away)
    wait_until_unavailable(server)
    page.reload()
    expect(page.get_by_role("heading")).to_have_text("The server cannot answer right now")
    server.kill()
    page.get_by_role("link", name="Try now").wait_for()
    page.wait_for_timeout(3000)
    expect(page.get_by_role("heading")).to_have_text("The server cannot answer right now")
    away.rename(server.path)
    server.start()
    expect(page.locator("#log-rows li")).to_have_count(1, timeout=TIMEOUT_MS)


def wait_until_unavailable(server: Server) -> None:
    wait_until(lambda: server.get("/tasks", headers={"Accept": "text/html"}).status_code == 503)
