"""Test the box that says why a run failed: it appears on the live page, and needs no scrolling."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect

from e2e.axe import THEMES, expect_accessible
from e2e.live_checks import expect_equal_to_fresh, expect_live_at
from e2e.visitor import Visitor
from signalbox.store import NewEvent
from tests.support.server import Server

LINES = [
    "=================================== FAILURES ===================================",
    *(f"    frame {n}" for n in range(300)),
    "E       AssertionError: assert 90 == 89",
    "=========================== short test summary info ============================",
    "FAILED tests/test_cart.py::test_discount - AssertionError: assert 90 == 89",
    "========================= 1 failed, 2 passed in 0.40s ==========================",
]
END = NewEvent(event_type="runner_exit", span_id="m", payload={"status": "failed", "message": "exit code 1"})


def start(server: Server, task_id: str) -> None:
    server.emit(task_id, NewEvent(event_type="runner_spawn", span_id="m", payload={"command": ["pytest"]}))


@pytest.mark.long
def test_the_reason_of_a_failure_appears_on_the_live_page(
    server: Server, new_context: Callable[..., BrowserContext]
) -> None:
    context = new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    start(server, "live")
    page.goto(f"{server.url}/tasks/live")
    expect_live_at(page, 1)
    server.emit("live", *LINES)
    expect_live_at(page, 1 + len(LINES))
    expect(page.locator("#failure")).to_be_hidden()
    server.emit("live", END)
    # The reason comes in the same frame as the end.
    shown = page.wait_for_function(
        "row => document.getElementById(row) && {reason: document.querySelector('#failure h2')?.textContent.trim()}",
        arg=f"e{2 + len(LINES)}",
    )
    assert shown.json_value() == {"reason": "1 failed, 2 passed in 0.40s"}
    expect(page.get_by_role("link", name="tests/test_cart.py::test_discount")).to_be_in_viewport()
    expect(page.get_by_text("First run with this error")).to_be_in_viewport()
    expect(page.get_by_role("region", name="Last lines of output")).to_contain_text("1 failed, 2 passed")
    expect_live_at(page, 2 + len(LINES))
    expect_equal_to_fresh(page, context)

    first = 1 + LINES.index("E       AssertionError: assert 90 == 89") + 1
    for key, seq in [("e", first), ("e", first + 2), ("e", first + 3), ("Shift+E", first + 2), ("Shift+E", first)]:
        page.keyboard.press(key)
        expect(page).to_have_url(f"{server.url}/tasks/live#e{seq}")
    expect(page.locator(f"#e{first}")).to_be_in_viewport()


@pytest.fixture(scope="module")
def failed(shared_server: Server) -> str:
    """Return the address of a run that failed."""
    start(shared_server, "phone")
    shared_server.emit("phone", *LINES, END)
    return f"{shared_server.url}/tasks/phone"


@pytest.mark.long
@pytest.mark.parametrize("theme", THEMES)
def test_the_box_is_accessible(failed: str, visitor: Visitor, theme: str) -> None:
    page = visitor.show(failed, theme)
    expect(page.get_by_role("region", name="Last lines of output")).to_be_visible()
    expect_accessible(page)


def test_the_log_around_the_failure_opens_without_javascript(
    failed: str, new_context: Callable[..., BrowserContext]
) -> None:
    plain = new_context(java_script_enabled=False, viewport={"width": 390, "height": 844}).new_page()
    plain.goto(failed)
    plain.get_by_role("link", name="Show in log").click()
    expect(plain.locator("li:target")).to_contain_text("AssertionError")
