"""Test that a running task shows the next step and its time, based on earlier runs, and keeps them up to date."""

from __future__ import annotations

import re

from playwright.sync_api import BrowserContext, Page, expect

from e2e.live_checks import expect_equal_to_fresh, expect_live_at
from signalbox.store import NewEvent, open_task
from tests.support.server import Server


def phase(kind: str, name: str) -> NewEvent:
    return NewEvent(event_type=f"phase_{kind}", phase=name, span_id=f"of-{name}")


def test_the_track_shows_the_next_step_and_follows_the_run(server: Server, page: Page, context: BrowserContext) -> None:
    for number in range(2):
        with open_task(server.store, f"earlier-{number}", kind="nightly") as run:
            for name in ("planning", "executing", "verifying"):
                with run.phase(name):
                    pass
    server.post("/api/tasks", {"task_id": "now", "kind": "nightly"})
    server.emit("now", phase("enter", "planning"))
    page.goto(f"{server.url}/tasks/now")
    expect(page.locator(".track-next")).to_have_text(re.compile(r"next: executing\s+\d+ s overdue\s+\(2 runs\)"))
    server.emit("now", phase("exit", "planning"), phase("enter", "executing"))
    expect_live_at(page, 3)
    expect(page.locator(".track-next")).to_have_text(re.compile(r"next: verifying\s+\d+ s overdue\s+\(2 runs\)"))
    expect_equal_to_fresh(page, context)
    server.emit("now", NewEvent(event_type="runner_exit", payload={"exit_code": 0}))
    expect_live_at(page, 4)
    expect(page.locator(".track-next")).to_have_count(0)


def test_without_earlier_runs_the_track_shows_no_forecast(server: Server, page: Page) -> None:
    server.post("/api/tasks", {"task_id": "alone", "kind": "unheard"})
    server.emit("alone", phase("enter", "planning"))
    page.goto(f"{server.url}/tasks/alone")
    expect_live_at(page, 1)
    expect(page.locator(".track-next")).to_have_count(0)
