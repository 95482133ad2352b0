"""Test a session used at the same time by a client of the session dialect and by a person at the page."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from e2e.live_checks import expect_live_at
from tests.support.server import Server
from tests.support.session_client import SessionClient, answer, emit

PRESS = "button => { const pressed = Date.now(); button.click(); return pressed / 1000 }"
PROMPT = 2.0
"""Seconds within which an answer must arrive: a slow machine needs a tenth of it, a poll or a full write much more."""


@pytest.mark.long
def test_an_answer_on_the_page_reaches_the_client_at_once(
    start_server: Callable[..., Server], page: Page, record_property: Any
) -> None:
    server = start_server(poll_interval=60, max_poll_interval=60, flush_interval=5)
    session, elapsed = "pressed", []
    emit(server.url, session, "tool_status", tool_name="rm", status="waiting")
    with SessionClient(server.url, session) as client:
        page.goto(f"{server.url}/tasks/{session}")
        for number in range(7):
            name = f"r{number}"
            emit(server.url, session, "permission_request", request_id=name, tool_name="rm")
            expect_live_at(page, 2 + 2 * number)
            pressed = page.get_by_role("button", name="Approve").evaluate(PRESS)
            cleared = client.wait_for("permission_cleared", lambda data, name=name: data["request_id"] == name)
            elapsed.append(cleared["came"] + time.time() - time.monotonic() - pressed)
            expect_live_at(page, 3 + 2 * number)
    record_property("p50_seconds", statistics.median(elapsed))
    assert statistics.median(elapsed) < PROMPT


def test_a_permission_request_answered_by_the_client_disappears_from_the_page(server: Server, page: Page) -> None:
    emit(server.url, "answered", "permission_request", request_id="r1", tool_name="rm")
    page.goto(f"{server.url}/tasks/answered")
    expect(page.get_by_role("button", name="Approve")).to_be_visible()
    assert answer(server.url, "answered", False, reason="not from here").status_code == 200
    expect_live_at(page, 2)
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    expect(page.locator("#e2")).to_contain_text("not from here")
