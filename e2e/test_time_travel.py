"""Test time travel: the whole task page at any event, and navigation between events."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from e2e.live_checks import expect_live_at, expect_same_as_past
from e2e.random_run import run
from tests.support.server import Server


@pytest.mark.long
def test_the_page_at_the_last_event_equals_the_live_page(server: Server, page: Page, context: BrowserContext) -> None:
    server.emit("last", *run(5, 300))
    page.goto(f"{server.url}/tasks/last")
    expect_live_at(page, server.latest("last"))
    past = context.new_page()
    past.goto(f"{server.url}/tasks/last?at={server.latest('last')}")
    expect_same_as_past(page, past)


@pytest.mark.long
def test_the_page_at_an_event_equals_the_live_page_at_that_time(
    server: Server, page: Page, context: BrowserContext
) -> None:
    events = list(run(6, 300))
    server.emit("until", *events[:150])
    page.goto(f"{server.url}/tasks/until")
    expect_live_at(page, 150)
    past = context.new_page()
    past.goto(f"{server.url}/tasks/until?at=150")
    expect_same_as_past(page, past)
    page.close()
    server.emit("until", *events[150:])
    past.reload()
    expect(past.locator("#e150")).to_be_in_viewport()
    expect(past.locator("#e151")).to_have_count(0)


@pytest.mark.long
def test_the_keyboard_steps_through_events_and_back_to_live(server: Server, page: Page) -> None:
    server.emit("keys", *[f"line {number}" for number in range(1, 31)])
    page.goto(f"{server.url}/tasks/keys")
    expect_live_at(page, 30)
    page.keyboard.press("t")
    expect(page.locator(".past-stand")).to_contain_text("As of #30")
    for key, seq in (("[", 29), ("[", 28), ("]", 29)):
        page.wait_for_load_state("load")
        page.keyboard.press(key)
        expect(page.locator(".past-stand")).to_contain_text(f"As of #{seq}")
    page.wait_for_load_state("load")
    page.keyboard.press("l")
    expect_live_at(page, 30)


def test_the_slider_opens_the_event_where_it_is_released(server: Server, page: Page) -> None:
    server.emit("slide", *[f"line {number}" for number in range(1, 101)])
    page.goto(f"{server.url}/tasks/slide?at=50")
    expect(page.get_by_role("button", name="Go")).to_be_hidden()
    slider = page.get_by_role("slider", name="Event")
    slider.focus()
    slider.press("Home")
    expect(page).to_have_url(re.compile(r"\?at=1&"))
    expect(page.locator("#log-rows > li")).to_have_count(1)


@pytest.mark.long
def test_keys_move_the_slider_without_a_page_for_each(server: Server, page: Page) -> None:
    server.emit("held", *[f"line {number}" for number in range(1, 101)])
    page.goto(f"{server.url}/tasks/held?at=10")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.is_navigation_request() else None)
    slider = page.get_by_role("slider", name="Event")
    slider.focus()
    for _ in range(20):
        slider.press("ArrowRight")
    expect(page.locator(".past-stand")).to_contain_text("As of #30")
    assert len(asked) == 1
    expect(slider).to_be_focused()
    slider.press("End")
    expect(page.locator(".past-stand")).to_contain_text("As of #100")
    page.go_back()
    expect(page.locator(".past-stand")).to_contain_text("As of #30")
    expect(slider).to_have_value("30")
    expect(page.locator(".past-aim")).to_have_text("#30")


def test_without_javascript_the_slider_has_a_button(server: Server, plain_page: Page) -> None:
    server.emit("plain", *[f"line {number}" for number in range(1, 101)])
    page = plain_page
    page.goto(f"{server.url}/tasks/plain?at=50")
    page.get_by_role("slider", name="Event").press("End")
    page.get_by_role("button", name="Go").click()
    expect(page.locator(".past-stand")).to_contain_text("As of #100")
    page.get_by_role("link", name="−1", exact=True).click()
    expect(page.locator(".past-stand")).to_contain_text("As of #99")


@pytest.mark.long
def test_clocks_are_stopped_in_the_past(server: Server, page: Page) -> None:
    server.emit("clocks", *list(run(8, 60))[:30])
    page.goto(f"{server.url}/tasks/clocks?at=20")
    clock = page.locator("#task-header running-clock")
    expect(clock).to_have_attribute("data-stopped", "")
    clock_text = clock.inner_text()
    page.wait_for_timeout(2100)
    assert clock.inner_text() == clock_text
