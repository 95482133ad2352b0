"""Every page shows its times in the viewer's zone, the same with and without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from e2e.live_checks import expect_live_at
from e2e.random_run import run
from signalbox.store import NewEvent
from tests.support.server import Server

TIMES = """() => [...document.querySelectorAll('time, .day, [data-zone], input[data-at], input[name=zone]')].map(
    (node) => [node.textContent, node.title, node.value ?? ''])"""


@pytest.mark.long
def test_a_live_page_and_a_page_without_scripts_show_equal_times(
    server: Server, new_context: Callable[..., BrowserContext]
) -> None:
    server.emit("zoned", *run(3, 60))
    seq = server.latest("zoned")
    live = new_context(timezone_id="America/St_Johns")
    page = live.new_page()
    page.goto(f"{server.url}/tasks/zoned")
    expect_live_at(page, seq)
    server.emit("zoned", "one more")
    expect_live_at(page, seq + 1)
    expect(page.locator("[data-zone]")).to_have_text("America/St_Johns")
    plain = new_context(java_script_enabled=False)
    plain.add_cookies([cookie for cookie in live.cookies() if cookie["name"] == "signalbox_zone"])  # type: ignore[misc]
    bare = plain.new_page()
    for path in ("/tasks/zoned", "/tasks/zoned/log", "/tasks/zoned/timeline"):
        page.goto(f"{server.url}{path}") if path != "/tasks/zoned" else None
        bare.goto(f"{server.url}{path}")
        expect(bare.locator("time").first).to_have_attribute(
            "title", page.locator("time").first.get_attribute("title") or ""
        )
        assert bare.evaluate(TIMES) == page.evaluate(TIMES), path


def test_times_of_the_first_and_the_last_years_are_those_of_the_server(
    server: Server, new_context: Callable[..., BrowserContext]
) -> None:
    for year in ("0001-01-01T00", "0001-06-01T12", "0099-06-01T12"):
        server.emit("years", NewEvent(event_type="log", payload={"message": year}, occurred_at=f"{year}:00:00Z"))
    live = new_context(timezone_id="America/St_Johns")
    page = live.new_page()
    page.goto(f"{server.url}/tasks/years")
    expect_live_at(page, 3)
    plain = new_context(java_script_enabled=False)
    plain.add_cookies([cookie for cookie in live.cookies() if cookie["name"] == "signalbox_zone"])  # type: ignore[misc]
    bare = plain.new_page()
    bare.goto(f"{server.url}/tasks/years")
    assert bare.evaluate(TIMES) == page.evaluate(TIMES)
    expect(page.locator("#e3 time")).to_have_attribute("title", re.compile("UTC, 0099-06-01 08:29:08 GMT-3:30"))


@pytest.mark.long
def test_a_selected_zone_is_used_on_every_page(server: Server, page: Page) -> None:
    server.emit("zoned-2", "hello")
    page.goto(f"{server.url}/help")
    page.get_by_label("Time zone").select_option("Pacific/Auckland")
    with page.expect_navigation():
        page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Time zone")).to_have_value("Pacific/Auckland")
    page.goto(f"{server.url}/tasks/zoned-2")
    expect(page.locator("#e1 time")).to_have_attribute("title", server_time(server, "zoned-2"))
    page.goto(f"{server.url}/help")
    page.get_by_label("Time zone").select_option("As the browser says")
    with page.expect_navigation():
        page.get_by_role("button", name="Save").click()
    expect(page.locator("[data-zone]")).not_to_have_text("Pacific/Auckland")


@pytest.mark.long
def test_a_page_is_live_whatever_its_cookie_and_its_address_say(
    server: Server, page: Page, context: BrowserContext
) -> None:
    server.emit("zoned-3", "hello")
    context.add_cookies([{"name": "signalbox_zone", "value": "%zz", "url": server.url}])
    page.goto(f"{server.url}/tasks/zoned-3#checkpoint-%zz")
    server.emit("zoned-3", "more")
    expect_live_at(page, 2)


def server_time(server: Server, task: str) -> str:
    from signalbox.webapp.views.time_zones import whole_time, zone_named

    at = server.get(f"/api/tasks/{task}/events").json()["events"][0]["created_at"]
    zone = zone_named("Pacific/Auckland")
    assert zone is not None
    return whole_time(at, zone)
