"""Test that controls do not move under the pointer: frames wait while a button is being pressed."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, expect

from e2e.live_checks import expect_equal_to_response, expect_live_at
from e2e.test_page_modules import TAMPER, tamper
from signalbox.store import NewEvent
from tests.support.server import Server

TELL = "(message) => (message.includes('hx-frame') && console.log('a frame came'), [message])"


def permission_request(request_id: str) -> NewEvent:
    return NewEvent(event_type="permission_request", payload={"request_id": request_id, "tool_name": request_id})


def test_a_frame_waits_while_a_button_is_pressed(server: Server, page: Page) -> None:
    server.emit("steady", NewEvent(event_type="runner_spawn", span_id="main"), permission_request("first"))
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
    expect(page.locator("#log-rows")).to_contain_text("approved by")
    expect_live_at(page, 5)
    expect_equal_to_response(page)


def test_a_resting_pointer_does_not_delay_frames(server: Server, page: Page) -> None:
    server.emit("rests", NewEvent(event_type="runner_spawn", span_id="main"), permission_request("first"))
    page.goto(f"{server.url}/tasks/rests")
    expect_live_at(page, 2)
    page.get_by_role("button", name="Approve").hover()
    server.emit("rests", "a line")
    expect_live_at(page, 3)


def test_a_tap_on_a_button_that_has_just_moved_is_ignored(
    server: Server, new_context: Callable[..., BrowserContext]
) -> None:
    page = new_context(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844}).new_page()
    server.emit("tap", NewEvent(event_type="runner_spawn", span_id="main"), permission_request("first"))
    page.goto(f"{server.url}/tasks/tap")
    expect_live_at(page, 2)
    # The frame and the tap coincide: the tap starts at the moment at which the page has moved.
    page.evaluate(
        """() => addEventListener('htmx:after:swap', () => {
          const deny = document.querySelector('.permission-deny');
          const finger = {bubbles: true, cancelable: true, isPrimary: true, pointerType: 'touch', detail: 1};
          for (const type of ['pointerdown', 'pointerup', 'click']) deny.dispatchEvent(new PointerEvent(type, finger));
          window.tapped = performance.now();
        }, {once: true})"""
    )
    server.emit("tap", NewEvent(event_type="recovery_initiated", payload={"message": "a line more in the header"}))
    page.wait_for_function("() => window.tapped")
    expect_live_at(page, 3)
    assert server.get("/api/tasks/tap").json()["permissions_open"] == 1

    page.wait_for_function("() => performance.now() - window.tapped > 500")
    page.get_by_role("button", name="Deny").tap()
    page.wait_for_load_state()
    expect(page.locator("#log-rows")).to_contain_text("denied by")


def test_after_a_touch_frames_wait_a_moment(server: Server, new_context: Callable[..., BrowserContext]) -> None:
    page = new_context(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844}).new_page()
    server.emit("touched", NewEvent(event_type="runner_spawn", span_id="main"), "a line")
    page.goto(f"{server.url}/tasks/touched")
    expect_live_at(page, 2)
    page.evaluate(
        """() => {
          addEventListener('touchend', () => {
            const touched = performance.now();
            addEventListener('htmx:after:swap', () => (window.waited ??= performance.now() - touched));
          }, true);
        }"""
    )
    page.locator("#e2").tap()
    server.emit("touched", "another line")
    expect_live_at(page, 3)
    assert page.wait_for_function("() => window.waited").json_value() >= 900
