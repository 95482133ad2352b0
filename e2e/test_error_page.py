"""Test that a page that was answered 503 reloads automatically."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from signalbox.store import NewEvent
from tests.support.server import Server
from tests.support.waiting import wait_until


@pytest.mark.long
def test_a_page_loads_again_once_the_database_and_the_server_are_back(
    start_server: Callable[..., Server], page: Page, expect_console: list[str]
) -> None:
    expect_console.append(r"status of 503|net::ERR_")
    server = start_server()
    server.emit("kept", "one")
    away = take_database_away(server)
    page.goto(f"{server.url}/tasks/kept")
    expect(page.get_by_role("heading")).to_have_text("The server cannot answer right now")
    expect(page.locator("main")).to_contain_text("database file was deleted or moved away")
    expect(page.locator("main")).to_contain_text(re.compile(r"Next attempt in \d+ s\.|Trying…"))
    away.rename(server.path)
    expect(page.locator("#log-rows li")).to_have_count(1)

    take_database_away(server)
    page.reload()
    expect(page.get_by_role("heading")).to_have_text("The server cannot answer right now")
    server.kill()
    for _ in range(2):  # The second try shows that the page survived the first one.
        with page.expect_event("requestfailed", lambda request: not request.is_navigation_request()):
            page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.get_by_role("heading")).to_have_text("The server cannot answer right now")
    away.rename(server.path)
    server.start()
    expect(page.locator("#log-rows li")).to_have_count(1)


@pytest.mark.long
def test_a_waiting_page_asks_once_at_a_time_and_shows_every_other_answer(
    start_server: Callable[..., Server], page: Page, expect_console: list[str]
) -> None:
    expect_console.append(r"status of 50[03]")
    server = start_server()
    server.emit("held", "one")
    away = take_database_away(server)
    page.goto(f"{server.url}/tasks/held")
    asked: list[Route] = []

    def hold_two(route: Route) -> None:
        if len(asked) == 2:
            route.continue_()
        else:
            asked.append(route)

    page.route("**/tasks/held", hold_two)
    for _ in range(3):
        page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("retry-page")).to_contain_text("Trying…")
    assert len(asked) == 1
    asked[0].fulfill(status=503)
    expect(page.locator("retry-page")).to_contain_text("Next attempt in")
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("retry-page")).to_contain_text("Trying…")
    away.rename(server.path)
    asked[1].fulfill(status=500)
    expect(page.locator("#log-rows li")).to_have_count(1)


@pytest.mark.long
def test_a_form_that_the_server_could_not_accept_keeps_its_text(
    start_server: Callable[..., Server], page: Page, expect_console: list[str]
) -> None:
    expect_console.append(r"status of 503|net::ERR_")
    server = start_server()
    server.emit("typed", NewEvent(event_type="permission_request", payload={"tool_name": "kubectl"}))
    page.goto(f"{server.url}/tasks/typed")
    page.get_by_label("Reason").fill("not on a Friday")
    away = take_database_away(server)
    page.get_by_role("button", name="Deny").click()
    expect(page.locator(".form-note")).to_contain_text("Your answer was not recorded.")
    expect(page.locator("retry-page")).to_have_count(0)
    away.rename(server.path)
    wait_until_answers(server, 200)
    expect(page.get_by_label("Reason")).to_have_value("not on a Friday")
    page.get_by_role("button", name="Send again").click()
    expect(page.locator("#e2")).to_contain_text("denied")
    assert "not on a Friday" in server.get("/tasks/typed/audits").text


def wait_until_answers(server: Server, status: int) -> None:
    wait_until(lambda: server.get("/tasks", headers={"Accept": "text/html"}).status_code == status)


def take_database_away(server: Server) -> Path:
    """Rename the database and wait until the server has noticed. Return its new path."""
    away = server.path.with_name("away.db")
    server.path.rename(away)
    wait_until_answers(server, 503)
    return away
