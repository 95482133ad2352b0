"""Test that state without events (stale, archived, unfinished line) is shown and updated on an open page."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, expect

from e2e.live_checks import expect_equal_to_response, expect_live_at
from signalbox.store import NewEvent
from tests.support.server import Server

GAP = """() => document.querySelector('#log-unfinished').getBoundingClientRect().top
  - document.querySelector('#log-rows > li:last-child').getBoundingClientRect().bottom"""
"""Returns the pixels between the last row of the log and the unfinished line."""


@pytest.mark.long
def test_a_silent_run_is_stale_on_its_open_page_until_its_next_event(
    start_server: Callable[..., Server], page: Page
) -> None:
    server = start_server(stale_after=1, heartbeat_timeout=600)
    server.emit("silent", NewEvent(event_type="runner_spawn", span_id="main"))
    page.goto(f"{server.url}/tasks/silent")
    flag = page.locator("#task-header").get_by_text("stale, last event")
    expect(flag).to_be_visible()
    expect_equal_to_response(page)
    page.goto(f"{server.url}/tasks/silent?at=1")
    expect(flag).to_be_visible()

    page.goto(f"{server.url}/tasks/silent")
    server.emit("silent", NewEvent(event_type="runner_exit", span_id="main"))
    expect_live_at(page, 2)
    expect(flag).to_have_count(0)
    expect_equal_to_response(page)


def test_an_archived_task_is_marked_on_its_open_page(server: Server, page: Page) -> None:
    server.emit("kept", NewEvent(event_type="runner_spawn"), NewEvent(event_type="runner_exit"))
    page.goto(f"{server.url}/tasks/kept")
    expect_live_at(page, 2)
    archived = page.locator("#task-header").get_by_role("link", name="archived")
    for deed, times in (("archive", 1), ("restore", 0)):
        assert server.post(f"/selection/{deed}", data={"task": "kept"}).status_code == 303
        expect(archived).to_have_count(times)
        expect_equal_to_response(page)


def test_the_unfinished_line_of_a_run_is_updated_below_the_log(server: Server, page: Page) -> None:
    server.emit("bar", NewEvent(event_type="runner_spawn"), NewEvent(event_type="log", payload={"message": "begins"}))
    page.goto(f"{server.url}/tasks/bar")
    expect_live_at(page, 2)
    row = page.locator("#log-unfinished")
    expect(row).to_be_hidden()
    for text in ("epoch 1: 7/60", "\x1b[31mepoch 1: 8/60\x1b[0m"):
        body = [{"message": text, "stream": "stderr"}]
        assert httpx.put(f"{server.url}/api/tasks/bar/unfinished", json=body).status_code == 204
        expect(row).to_contain_text(text[5:18] if text[0] == "\x1b" else text)
        expect(row).to_be_in_viewport()
        assert page.evaluate(GAP) == 0
        expect_equal_to_response(page)
    server.emit("bar", NewEvent(event_type="log", payload={"message": "epoch 1: 60/60"}))
    server.emit("bar", NewEvent(event_type="runner_exit"))
    expect_live_at(page, 4)
    expect(row).to_be_hidden()
    expect_equal_to_response(page)
