"""Test the forms of a run in the browser: answers with a value, messages, and forms that cannot be sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from e2e.browser import PHONE
from e2e.live_checks import expect_equal_to_response, expect_live_at
from signalbox.store import NewEvent
from tests.support.server import Server

PUSH = {"remote": "origin", "branch": "fix/ack", "force": False, "labels": ["a", "b"], "retries": 3, "note": "x " * 200}
TRIP = {
    "type": "object",
    "required": ["city", "seats"],
    "properties": {
        "city": {"type": "string", "minLength": 2, "title": "City"},
        "seats": {"type": "integer", "minimum": 1, "description": "How many people travel."},
        "class": {"enum": ["economy", "business"]},
        "price": {"type": "object", "properties": {"limit": {"type": "number"}}},
    },
}


def ask(server: Server, task: str, request_id: str = "r1", **fields: Any) -> None:
    payload = {"request_id": request_id, "tool_name": "git push", **fields}
    server.emit(task, NewEvent(event_type="permission_request", payload=payload))


def last_payload(server: Server, task: str) -> dict[str, Any]:
    newest: dict[str, Any] = server.get(f"/api/tasks/{task}/events/latest?limit=1").json()[0]["payload"]
    return newest


@pytest.mark.long
def test_a_changed_argument_is_approved_with_three_taps_on_a_phone(
    server: Server, new_context: Callable[..., BrowserContext]
) -> None:
    ask(server, "phone-push", arguments=PUSH, editable=True)
    page = new_context(**PHONE).new_page()
    page.goto(f"{server.url}/tasks/phone-push")
    expect_live_at(page, 1)
    for name in ("Approve", "Deny"):
        button = page.get_by_role("button", name=name)
        expect(button).to_be_in_viewport(ratio=1)
        box = button.bounding_box()
        assert box
        assert box["height"] >= 44
    page.get_by_label("branch").tap()
    page.keyboard.press("End")
    page.keyboard.type("-2")
    expect(page.get_by_role("button", name="Approve")).to_be_in_viewport(ratio=1)
    page.get_by_role("button", name="Approve").tap()
    expect_live_at(page, 2)
    assert last_payload(server, "phone-push")["value"] == {**PUSH, "branch": "fix/ack-2"}
    card = page.locator(".answered-card")
    expect(card).to_contain_text("Approved by local user")
    expect(card.locator("tbody tr")).to_have_count(1)
    expect(card.locator("tbody tr")).to_contain_text("fix/ack-2")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    expect_equal_to_response(page)
    page.reload()
    expect(card).to_contain_text("fix/ack-2")
    card.get_by_role("button", name="Dismiss").tap()
    expect(card).to_have_count(0)
    page.reload()
    expect_live_at(page, 2)
    expect(card).to_have_count(0)


@pytest.mark.long
def test_a_wrong_value_is_named_beside_its_field_and_everything_typed_is_kept(
    server: Server, new_context: Callable[..., BrowserContext], expect_console: list[str]
) -> None:
    expect_console.append("status of 400")
    for javascript in (True, False):
        task = f"trip-{javascript}"
        ask(server, task, response_schema=TRIP)
        page = new_context(java_script_enabled=javascript).new_page()
        page.goto(f"{server.url}/tasks/{task}")
        page.get_by_label("City").fill("Rome")
        page.get_by_label("seats").fill("0")
        page.get_by_label("class").select_option("business")
        page.get_by_label("limit").fill("99.5")
        page.get_by_label("Reason").fill("holidays")
        page.get_by_role("button", name="Approve").click()
        expect(page.get_by_label("seats")).to_have_accessible_description("How many people travel. Must be at least 1")
        expect(page.get_by_label("seats")).to_have_attribute("aria-invalid", "true")
        server.emit(task, "a line", NewEvent(event_type="permission_request", payload={"tool_name": "other"}))
        if javascript:
            expect(page).to_have_url(f"{server.url}/tasks/{task}")
            expect_live_at(page, 3)
        values = [page.locator(f'[name="value/{name}"]').input_value() for name in ("city", "class", "price/limit")]
        assert [*values, page.get_by_label("Reason").first.input_value()] == ["Rome", "business", "99.5", "holidays"]
        page.get_by_label("seats").fill("2")
        page.get_by_role("button", name="Approve").first.click()
        expect(page.locator("[aria-invalid]")).to_have_count(0)
        expect(page.locator("main")).to_contain_text("approved by local user" if javascript else "Approved")
        events = server.get(f"/api/tasks/{task}/events").json()["events"]
        (answer,) = [one["payload"] for one in events if one["event_type"] == "permission_response"]
        assert answer["value"] == {"city": "Rome", "seats": 2, "class": "business", "price": {"limit": 99.5}}
        assert answer["reason"] == "holidays"


@pytest.mark.long
@pytest.mark.own_profile
def test_a_form_that_cannot_be_sent_stays_and_says_so(
    server: Server, page: Page, context: BrowserContext, expect_console: list[str]
) -> None:
    expect_console.append("net::ERR_INTERNET_DISCONNECTED|Failed to fetch")
    server.emit("offline", NewEvent(event_type="runner_spawn"))
    ask(server, "offline")
    page.goto(f"{server.url}/tasks/offline")
    expect_live_at(page, 2)
    context.set_offline(True)
    page.get_by_text("Cancel", exact=True).click()
    page.locator("#cancel-reason").fill("wrong branch")
    page.locator("#cancel-run").click()
    cancel = page.locator("form", has=page.locator("#cancel-run"))
    expect(cancel.get_by_role("alert")).to_contain_text("Not sent: you are offline.")
    page.get_by_label("Reason", exact=True).last.fill("fine")
    page.get_by_role("button", name="Approve").click()
    answer = page.locator(".permission-answer")
    expect(answer.get_by_role("alert")).to_contain_text("Not sent: you are offline.")
    expect(page).to_have_url(f"{server.url}/tasks/offline")
    context.set_offline(False)
    server.emit("offline", "written meanwhile")
    ask(server, "offline", "r2")
    expect_live_at(page, 4)
    expect(page.locator("#cancel-reason")).to_have_value("wrong branch")
    answer.first.get_by_role("button", name="Send again").click()
    expect_live_at(page, 5)
    assert last_payload(server, "offline")["reason"] == "fine"
    cancel.get_by_role("button", name="Send again").click()
    expect_live_at(page, 6)
    assert last_payload(server, "offline")["reason"] == "wrong branch"
    expect(page.locator(".form-note")).to_have_count(0)
    expect_equal_to_response(page)


def test_a_form_whose_response_was_lost_acts_once(server: Server, page: Page, expect_console: list[str]) -> None:
    expect_console.append("net::ERR_FAILED")
    server.emit("lost", NewEvent(event_type="runner_spawn"))
    page.goto(f"{server.url}/tasks/lost")
    expect_live_at(page, 1)

    def lose(route: Route) -> None:
        route.fetch(max_redirects=0)
        route.abort()

    page.route("**/tasks/lost/messages*", lose, times=1)
    page.locator("summary", has_text="Message").click()
    page.locator("#message-text").fill("use the staging database")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator(".form-note")).to_contain_text("Not sent: the server cannot be reached.")
    expect(page.locator(".message")).to_have_count(1)
    page.get_by_role("button", name="Send again").click()
    expect(page.locator("#message-text")).to_be_hidden()
    assert server.latest("lost") == 2
    expect_equal_to_response(page)


@pytest.mark.long
def test_messages_and_allowances_are_live(server: Server, page: Page) -> None:
    server.emit("chat", NewEvent(event_type="runner_spawn"))
    page.goto(f"{server.url}/tasks/chat")
    expect_live_at(page, 1)
    for text in ("first", "second"):
        page.locator("summary", has_text="Message").click()
        page.locator("#message-text").fill(text)
        page.get_by_role("button", name="Send", exact=True).click()
        expect(page.locator(".message", has_text=text)).to_contain_text("sent")
    server.emit("chat", NewEvent(event_type="message_taken", payload={"message": 2}))
    expect(page.locator(".message", has_text="first")).to_contain_text("taken by the run")
    ask(server, "chat")
    page.get_by_label("Always allow git push in this run").check()
    page.get_by_role("button", name="Approve").click()
    expect(page.locator(".allowance")).to_contain_text("Always allowed in this run: git push by local user")
    ask(server, "chat", "r2")
    expect(page.locator("#e8")).to_contain_text("approved by local user (always allowed)")
    expect_equal_to_response(page)
    page.get_by_role("button", name="Revoke").click()
    expect(page.locator(".allowance")).to_have_count(0)
    ask(server, "chat", "r3")
    expect(page.locator("#permissions .permission")).to_have_count(1)
    server.emit("chat", NewEvent(event_type="runner_exit", payload={"exit_code": 0}))
    expect(page.locator(".message", has_text="second")).to_contain_text("ignored: the run ended first")
    expect_equal_to_response(page)
