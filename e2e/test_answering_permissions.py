"""Test answering permission requests in the browser: live, on a phone, by keyboard, and without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from e2e.browser import PHONE
from e2e.live_checks import expect_equal_to_fresh, expect_live_at, expect_same_content
from signalbox.store import NewEvent
from tests.support.server import Server


def ask(server: Server, task: str, request_id: str = "r1", tool: str = "rm", **fields: Any) -> None:
    payload = {"request_id": request_id, "tool_name": tool, "arguments": {"path": "/x"}, **fields}
    server.emit(task, NewEvent(event_type="permission_request", payload=payload))


def card(page: Page, tool: str = "rm") -> Any:
    return page.locator(".permission", has=page.get_by_text(tool, exact=True))


def count(page: Page) -> Any:
    return page.locator("open-permissions")


@pytest.mark.long
def test_a_permission_request_appears_and_disappears_once_answered(
    server: Server, page: Page, context: BrowserContext
) -> None:
    server.emit("asks", "started")
    page.goto(f"{server.url}/tasks/asks")
    expect_live_at(page, 1)
    ask(server, "asks")
    card(page).get_by_label("Reason").fill("they are old")
    card(page).get_by_role("button", name="Approve").click()
    expect_live_at(page, 3)
    expect(page).to_have_url(f"{server.url}/tasks/asks")
    expect(page.locator(".permission")).to_have_count(0)
    expect(page.locator("#e3")).to_contain_text("approved by local user")
    expect(page.locator("#e3")).to_contain_text("they are old")
    expect_equal_to_fresh(page, context)


def test_a_reason_being_typed_survives_live_updates(server: Server, page: Page) -> None:
    ask(server, "types")
    page.goto(f"{server.url}/tasks/types")
    expect_live_at(page, 1)
    field = card(page).get_by_label("Reason")
    field.press_sequentially("because")
    field.evaluate("field => field.setSelectionRange(2, 4)")
    for n in range(3):
        ask(server, "types", f"more-{n}", f"tool-{n}")
        server.emit("types", "a line")
    expect_live_at(page, 7)
    expect(page.locator(".permission")).to_have_count(4)
    expect(field).to_have_value("because")
    expect(field).to_be_focused()
    assert field.evaluate("field => [field.selectionStart, field.selectionEnd]") == [2, 4]
    page.keyboard.type("X")
    expect(field).to_have_value("beXuse")


def test_a_late_answer_shows_who_answered_first(
    server: Server, new_context: Callable[..., BrowserContext], expect_console: list[str]
) -> None:
    expect_console.append("409")
    ask(server, "two")
    first = new_context().new_page()
    # Without JavaScript the page does not learn that the request is closed.
    second = new_context(java_script_enabled=False).new_page()
    for page in (first, second):
        page.goto(f"{server.url}/tasks/two")
    first.get_by_role("button", name="Deny").click()
    expect(first.locator(".permission")).to_have_count(0)
    second.get_by_role("button", name="Approve").click()
    expect(second.get_by_role("alert")).to_contain_text("local user already denied this")
    expect(second.locator(".permission")).to_contain_text(re.compile(r"Denied by local user at .*#2"))
    second.get_by_role("link", name="Back to the task").click()
    expect(second).to_have_url(f"{server.url}/tasks/two")


def test_enter_in_the_reason_field_sends_no_answer(server: Server, new_context: Callable[..., BrowserContext]) -> None:
    for javascript in (True, False):
        task = f"enter-{javascript}"
        ask(server, task)
        page = new_context(java_script_enabled=javascript).new_page()
        page.goto(f"{server.url}/tasks/{task}")
        page.get_by_label("Reason").fill("yes")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Approve")).to_be_focused()
        assert server.latest(task) == 1
        page.keyboard.press("Enter")
        expect(page.locator(".permission")).to_have_count(0)
        assert server.latest(task) == 2


def test_a_keyboard_shortcut_jumps_to_the_answer(server: Server, page: Page) -> None:
    ask(server, "key")
    page.goto(f"{server.url}/tasks/key")
    expect_live_at(page, 1)
    page.keyboard.press("a")
    expect(page.get_by_label("Reason")).to_be_focused()


def test_a_permission_request_can_be_answered_without_javascript_on_a_phone(
    server: Server, new_context: Callable[..., BrowserContext]
) -> None:
    ask(server, "phone", reason="a long reason " * 20, arguments={"path": "/very/long" * 40})
    page = new_context(**PHONE, java_script_enabled=False).new_page()
    page.goto(f"{server.url}/permissions")
    item = page.locator(".inbox-item", has_text="phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for button in item.get_by_role("button").all():
        box = button.bounding_box()
        assert box
        assert box["height"] >= 44
        assert box["width"] >= 120
    item.get_by_label("Reason").fill("fine")
    item.get_by_role("button", name="Approve").tap()
    expect(page).to_have_url(f"{server.url}/permissions")
    expect(page.locator(".inbox-item", has_text="phone")).to_have_count(0)
    assert server.latest("phone") == 2


@pytest.mark.long
def test_the_inbox_is_live(
    start_server: Callable[..., Server], page: Page, context: BrowserContext, new_context: Callable[..., BrowserContext]
) -> None:
    server = start_server()
    page.goto(f"{server.url}/permissions")
    expect(page.get_by_text("Nothing needs approval")).to_be_visible()
    expect(count(page)).to_be_hidden()
    expect(page.locator("live-status")).to_contain_text("Live")
    for n in range(3):
        ask(server, f"run-{n}", "same", f"tool-{n}")
    expect(page.locator(".inbox-item")).to_have_count(3)
    expect(count(page)).to_have_text("3 open")
    expect(page).to_have_title("(3) Permissions · Signalbox")
    card(page, "tool-1").get_by_label("Reason").fill("half a wor")
    server.post("/api/tasks/run-0/permissions/same", {"approved": True})
    server.emit("run-2", "noise", NewEvent(event_type="runner_exit", payload={"exit_code": 0}))
    expect(page.locator(".inbox-item")).to_have_count(1)
    expect(card(page, "tool-1").get_by_label("Reason")).to_have_value("half a wor")
    expect(page).to_have_title("(1) Permissions · Signalbox")
    fresh = new_context(java_script_enabled=False).new_page()
    fresh.goto(f"{server.url}/permissions")
    expect_same_content(page, fresh)
    card(page, "tool-1").get_by_role("button", name="Deny").click()
    expect(page.get_by_text("Nothing needs approval")).to_be_visible()
    expect(page).to_have_title("Permissions · Signalbox")
    expect_equal_to_fresh(page, context)


def test_every_live_page_counts_open_permission_requests_of_all_tasks(
    start_server: Callable[..., Server], new_context: Callable[..., BrowserContext]
) -> None:
    server = start_server()
    server.emit("mine", "hello")
    pages = [new_context().new_page() for _ in range(2)]
    for page, path in zip(pages, ("/tasks/mine", "/tasks"), strict=True):
        page.goto(server.url + path)
        expect(page.locator("live-status")).to_contain_text("Live ·")
    ask(server, "other")
    ask(server, "another")
    for page in pages:
        expect(count(page)).to_have_text("2 open")
        expect(page).to_have_title(re.compile(r"^\(2\) "))
    server.store.delete_task("other")
    server.post("/api/tasks/another/permissions/r1", {"approved": True})
    for page in pages:
        expect(count(page)).to_be_hidden()
        expect(page).not_to_have_title(re.compile(r"^\(\d"))


@pytest.mark.long
def test_a_permission_request_disappears_when_it_expires_or_its_run_ends(
    start_server: Callable[..., Server], page: Page, context: BrowserContext
) -> None:
    server = start_server(heartbeat_timeout=2)
    ask(server, "run", "stays", "kubectl")
    page.goto(f"{server.url}/tasks/run")
    expect_live_at(page, 1)
    soon = (datetime.now(UTC) + timedelta(seconds=4)).isoformat()
    ask(server, "run", "goes", "rm", expires_at=soon)
    expect(card(page, "rm")).to_be_visible()
    expect(page.locator("#e3")).to_contain_text("no answer in time")
    expect(page.locator(".permission")).to_have_count(1)
    expect(page.locator("#task-header")).to_contain_text("waiting")
    server.emit("run", NewEvent(event_type="runner_exit", payload={"exit_code": 0}))
    expect(page.locator(".permission")).to_have_count(0)
    expect(page.locator("#task-header")).to_contain_text("done")
    expect_equal_to_fresh(page, context)


def test_a_request_that_is_open_again_has_no_outcome_on_the_page(server: Server, page: Page) -> None:
    ask(server, "again")
    page.goto(f"{server.url}/tasks/again")
    expect_live_at(page, 1)
    for _ in range(2):
        gone = NewEvent(event_type="status", payload={"status": "interrupted", "error_code": "no_heartbeat"})
        server.store.append("again", gone, own=True)
        expect(page.locator(".answered-card")).to_have_count(1)
        server.emit("again", "it goes on")
        expect_live_at(page, server.latest("again"))
        expect(card(page)).to_be_visible()
        expect(page.locator(".answered-card")).to_have_count(0)
        server.emit("again", "one more line")
        expect_live_at(page, server.latest("again"))
    card(page).get_by_role("button", name="Approve").click()
    expect(page.locator(".answered-card")).to_have_count(1)
    expect(page.locator(".answered-card")).to_contain_text("Approved by local user")


NOTIFICATIONS = """
window.shown = [];
window.Notification = class extends EventTarget {
  static permission = 'default';
  static requestPermission = async () => (Notification.permission = 'granted');
  constructor(title, options) { super(); window.shown.push([title, options.body]); }
};
"""


def test_notifications_are_shown_once_enabled(start_server: Callable[..., Server], page: Page) -> None:
    server = start_server()
    page.add_init_script(NOTIFICATIONS)
    page.goto(f"{server.url}/permissions")
    switch = page.get_by_role("button", name="Notify me")
    expect(switch).to_have_attribute("aria-pressed", "false")
    ask(server, "silent")
    expect(count(page)).to_have_text("1 open")
    switch.click()
    expect(switch).to_have_attribute("aria-pressed", "true")
    expect(page.locator("live-stream")).to_have_attribute("data-awake", "")
    ask(server, "loud")
    expect(count(page)).to_have_text("2 open")
    assert page.evaluate("window.shown") == [["Signalbox", "2 permission requests are open."]]
    server.post("/api/tasks/loud/permissions/r1", {"approved": True})
    expect(count(page)).to_have_text("1 open")
    assert page.evaluate("window.shown.length") == 1
    assert page.evaluate("localStorage.notify") == "on"
    switch.click()
    expect(switch).to_have_attribute("aria-pressed", "false")
    ask(server, "again")
    expect(count(page)).to_have_text("2 open")
    assert page.evaluate("window.shown.length") == 1
