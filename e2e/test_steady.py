"""What somebody is about to press stays under the hand: frames wait until it is pressed."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from e2e.live import expect_equal_to_answer, expect_live_at
from e2e.test_page_modules import TAMPER, tamper
from store import NewEvent
from tests.support.server import Server

TELL = "(message) => (message.includes('hx-frame') && console.log('a frame came'), [message])"


def question(request_id: str) -> NewEvent:
    return NewEvent(event_type="permission_request", payload={"request_id": request_id, "tool_name": request_id})


def test_a_frame_that_comes_while_a_button_is_pressed_waits_until_it_is_let_go(server: Server, page: Page) -> None:
    server.emit("steady", NewEvent(event_type="runner_spawn", span_id="main"), question("first"))
    page.add_init_script(TAMPER)
    page.goto(f"{server.url}/tasks/steady")
    expect_live_at(page, 2)
    tamper(page, TELL)
    page.get_by_role("button", name="Approve").hover()
    page.mouse.down()
    with page.expect_event("console", lambda message: message.text == "a frame came"):
        server.emit("steady", "a line", NewEvent(event_type="progress_update", payload={"message": "moves all below"}))
    assert page.locator("#e3").count() == 0
    page.mouse.up()
    page.wait_for_load_state()
    expect(page.locator("#log-rows")).to_contain_text("permission given")
    expect_live_at(page, 5)
    expect_equal_to_answer(page)


def test_a_pointer_that_rests_holds_nothing_up(server: Server, page: Page) -> None:
    server.emit("rests", NewEvent(event_type="runner_spawn", span_id="main"), question("first"))
    page.goto(f"{server.url}/tasks/rests")
    expect_live_at(page, 2)
    page.get_by_role("button", name="Approve").hover()
    server.emit("rests", "a line")
    expect_live_at(page, 3)
