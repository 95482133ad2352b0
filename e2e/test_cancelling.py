"""Test cancelling a run from its page: it needs two presses, and works with and without JavaScript."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from e2e.browser import PHONE
from e2e.live_checks import expect_equal_to_fresh, expect_live_at
from signalbox.store import NewEvent
from tests.support.server import Server


@pytest.mark.long
def test_a_cancel_takes_two_presses_and_shows_at_once(server: Server, page: Page, context: BrowserContext) -> None:
    server.emit("two", "hello")
    page.goto(f"{server.url}/tasks/two")
    expect_live_at(page, 1)
    page.locator("summary", has_text="Cancel").click()
    page.get_by_label("Why").fill("too slow")
    server.emit("two", NewEvent(event_type="status", payload={"message": "busy"}))
    expect_live_at(page, 2)
    expect(page.get_by_label("Why")).to_have_value("too slow")
    assert server.latest("two") == 2
    page.get_by_role("button", name="Cancel run").click()
    expect_live_at(page, 3)
    expect(page.locator("#task-header")).to_contain_text("cancel requested")
    expect(page.locator("#e3")).to_contain_text("too slow")
    expect_equal_to_fresh(page, context)
    server.emit("two", NewEvent(event_type="runner_exit", payload={"status": "cancelled"}))
    expect_live_at(page, 4)
    expect(page.locator("summary", has_text="Cancel")).to_have_count(0)
    expect_equal_to_fresh(page, context)


def test_a_run_can_be_cancelled_without_javascript_on_a_phone(
    server: Server, new_context: Callable[..., BrowserContext]
) -> None:
    server.emit("phone", "hello")
    page = new_context(**PHONE, java_script_enabled=False).new_page()
    page.goto(f"{server.url}/tasks/phone")
    expect(page.get_by_role("button", name="Cancel run")).to_be_hidden()
    page.locator("summary", has_text="Cancel").tap()
    page.get_by_role("button", name="Cancel run").tap()
    expect(page.locator("#task-header")).to_contain_text("cancel requested")
    expect(page.get_by_role("button", name="Force stop")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_role("link", name="audit log", exact=True).tap()
    expect(page.locator(".audit").first).to_contain_text("local user asked phone to stop")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
