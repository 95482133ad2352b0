"""The waterfall by the keyboard, and without JavaScript; that it lives stands in test_live_views.py."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, expect

from e2e.live import expect_live_at
from e2e.runs import run
from tests.support.server import Server


def test_the_keyboard_goes_through_the_bars_to_a_span_and_its_events(server: Server, page: Page) -> None:
    server.emit("keys", *list(run(12, 60))[:30])
    page.goto(f"{server.url}/tasks/keys")
    expect_live_at(page, 30)
    page.keyboard.press("w")
    expect(page.locator(".fall").first).to_be_visible()
    page.wait_for_load_state("load")
    page.keyboard.press("j")
    expect(page.locator(".fall-row").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".span-facts")).to_contain_text("run")
    expect(page.locator("#log-rows > li").first).to_contain_text("run started")


def test_without_javascript_it_is_drawn_all_the_same(
    server: Server, new_context: Callable[..., BrowserContext]
) -> None:
    for event in run(13, 30):
        server.emit("plain", event)
    page = new_context(java_script_enabled=False).new_page()
    page.goto(f"{server.url}/tasks/plain/waterfall")
    box = page.locator(".fall-bar").first.bounding_box()
    assert box
    assert box["width"] > 100
