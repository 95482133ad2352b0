"""Test the evidence drawer: a checkpoint shown live next to the page that links to it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from e2e.live_checks import expect_equal_to_response, expect_live_at
from signalbox.store import NewEvent
from tests.support.server import Server


def event(event_type: str, **payload: Any) -> NewEvent:
    return NewEvent(event_type=event_type, span_id="main", phase="executing", payload=payload)


def create_run_with_checkpoint(server: Server, task: str) -> None:
    """Create a run with a checkpoint and a permission request that refers to it."""
    server.emit(
        task,
        event("runner_spawn"),
        event("checkpoint_commit", checkpoint_id="c 1", evidence_refs={"artifacts": ["report.json"]}),
        event("permission_request", request_id="r", tool_name="deploy", evidence_refs={"checkpoint_id": "c 1"}),
    )


def drawer(page: Page) -> Locator:
    return page.get_by_role("dialog", name=re.compile("c 1"))


@pytest.mark.parametrize("path", ["", "/timeline", "/waterfall", "/permissions/r"])
def test_a_checkpoint_opens_next_to_the_page_that_links_to_it(server: Server, page: Page, path: str) -> None:
    task = "beside" + path.replace("/", "-")
    create_run_with_checkpoint(server, task)
    page.goto(f"{server.url}/tasks/{task}{path}")
    expect_live_at(page, 3)
    link = page.locator("a[data-drawer]").first
    link.focus()
    page.keyboard.press("Enter")
    expect(drawer(page)).to_be_visible()
    expect(drawer(page)).to_contain_text("report.json")
    expect(page).to_have_url(re.compile(r"#checkpoint-c_20_1$"))
    page.keyboard.press("Escape")
    expect(drawer(page)).to_have_count(0)
    expect(link).to_be_focused()
    expect(page).not_to_have_url(re.compile("#"))


def test_an_open_drawer_and_the_page_behind_it_are_live(server: Server, page: Page) -> None:
    create_run_with_checkpoint(server, "lives")
    page.goto(f"{server.url}/tasks/lives")
    expect_live_at(page, 3)
    page.locator(".checkpoint-name").click()
    expect(drawer(page).locator("h1")).to_contain_text("committed")
    expect(drawer(page)).to_contain_text("No evidence is linked to this checkpoint.")
    server.emit("lives", event("evidence_collected", checkpoint_id="c 1", evidence_id="e9"))
    server.emit("lives", event("checkpoint_verified", checkpoint_id="c 1", message="it holds"))
    expect(drawer(page).locator("h1")).to_contain_text("verified")
    expect(drawer(page)).to_contain_text("1 evidence event")
    expect(drawer(page)).to_contain_text("it holds")
    expect_live_at(page, 5)
    drawer(page).get_by_role("button", name="Close").click()
    expect(drawer(page)).to_have_count(0)
    expect_equal_to_response(page)


def test_the_address_of_an_open_drawer_opens_it_again(server: Server, page: Page) -> None:
    create_run_with_checkpoint(server, "linked")
    page.goto(f"{server.url}/tasks/linked/timeline#checkpoint-c_20_1")
    expect(drawer(page)).to_be_visible()
    page.mouse.click(10, 300)
    expect(drawer(page)).to_have_count(0)


def test_a_drawer_of_the_past_shows_the_checkpoint_as_it_was(server: Server, page: Page) -> None:
    create_run_with_checkpoint(server, "past")
    server.emit("past", event("checkpoint_verified", checkpoint_id="c 1", message="it holds"))
    page.goto(f"{server.url}/tasks/past?at=3")
    page.locator(".checkpoint-name").click()
    expect(drawer(page).locator("h1")).to_contain_text("committed")
    expect(drawer(page)).to_contain_text("As of #3")
    expect(drawer(page)).not_to_contain_text("it holds")
    drawer(page).get_by_role("link", name="back to live").click()
    expect_live_at(page, 4)
    expect(page.locator("h1")).to_contain_text("verified")


def test_the_page_of_a_checkpoint_is_live(server: Server, page: Page) -> None:
    create_run_with_checkpoint(server, "own")
    page.goto(f"{server.url}/tasks/own/checkpoints/c%201")
    expect_live_at(page, 3)
    server.emit("own", event("evidence_linked", checkpoint_id="c 1"), event("checkpoint_invalid", checkpoint_id="c 1"))
    expect_live_at(page, 5)
    expect(page.locator("h1")).to_contain_text("invalid")
    expect_equal_to_response(page)


def test_without_javascript_the_checkpoint_is_a_page(server: Server, plain_page: Page) -> None:
    create_run_with_checkpoint(server, "plain")
    page = plain_page
    page.goto(f"{server.url}/tasks/plain/timeline")
    page.get_by_role("link", name="evidence of c 1").first.click()
    expect(page.locator("h1")).to_contain_text("c 1")
    expect(page.locator("main")).to_contain_text("report.json")


def test_a_payload_opens_in_the_drawer_and_not_in_the_page_behind_it(server: Server, page: Page) -> None:
    create_run_with_checkpoint(server, "payload")
    server.emit("payload", event("evidence_linked", checkpoint_id="c 1", evidence_id="e1", report={"text": "one\ntwo"}))
    page.goto(f"{server.url}/tasks/payload")
    page.locator(".checkpoint-name").click()
    drawer(page).locator(".row .said").first.click(position={"x": 20, "y": 8})
    viewer = drawer(page).locator(".viewer")
    viewer.get_by_role("link", name="Text").click()
    expect(viewer.locator(".leaf-text")).to_have_text("one\ntwo")
    expect(page.locator("#e4 .viewer")).to_have_count(0)
    expect(page.locator("#e4 .turn")).to_have_attribute("aria-expanded", "false")
