"""Test the waterfall with the keyboard and without JavaScript. test_live_views.py tests it live."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from playwright.sync_api import Page, expect

from e2e.live_checks import expect_live_at
from e2e.random_run import run
from signalbox.store.contract import TaskRecord
from signalbox.store.events import Event
from tests.support.server import Server


def test_the_keyboard_moves_through_the_bars_and_opens_a_span(server: Server, page: Page) -> None:
    server.emit("keys", *list(run(12, 60))[:30])
    page.goto(f"{server.url}/tasks/keys")
    expect_live_at(page, 30)
    page.keyboard.press("w")
    expect(page.locator(".fall").first).to_be_visible()
    page.wait_for_load_state("load")
    page.keyboard.press("j")
    expect(page.locator(".fall-link").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".span-facts")).to_contain_text("run")
    expect(page.locator("#log-rows > li").first).to_contain_text("run started")


def test_the_waterfall_is_drawn_without_javascript(server: Server, plain_page: Page) -> None:
    for event in run(13, 30):
        server.emit("plain", event)
    page = plain_page
    page.goto(f"{server.url}/tasks/plain/waterfall")
    box = page.locator(".fall-bar").first.bounding_box()
    assert box
    assert box["width"] > 100


@pytest.mark.long
@pytest.mark.parametrize("width", [1440, 390])
def test_the_outcome_and_duration_of_a_span_fit_next_to_its_bar(server: Server, page: Page, width: int) -> None:
    task = f"cancelled-{width}"
    log = [("runner_spawn", {}, "10:00:00"), ("runner_exit", {"status": "cancelled"}, "21:34:56")]
    events = [
        Event(
            event_id=seq,
            task_id=task,
            seq=seq,
            event_type=kind,
            phase=None,
            actor="runner",
            span_id="main",
            parent_span_id=None,
            payload_json=msgspec.Raw(msgspec.json.encode(payload)),
            created_at=f"2026-11-10T{time}.000000Z",
        )
        for seq, (kind, payload, time) in enumerate(log, start=1)
    ]
    server.store.import_task(TaskRecord(task_id=task, created_at=events[0].created_at), events)
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{server.url}/tasks/{task}/waterfall")
    duration = page.locator(".fall .fall-took").first
    expect(duration).to_contain_text("cancelled 11 h 34 m")
    assert duration.evaluate("node => node.scrollWidth <= node.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    labels = page.locator(".fall-axis text").evaluate_all(
        """labels => labels.map((label) => label.getBoundingClientRect()).filter((box) => box.width)
          .map(({ left, right }) => [left, right])"""
    )
    assert all(before[1] < after[0] for before, after in pairwise(labels)), labels
