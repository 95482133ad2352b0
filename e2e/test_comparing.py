"""Test comparing two runs with links and plain forms, without scripts."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import BrowserContext, expect

from signalbox.store import open_task
from tests.support.server import Server


def create_ended_run(server: Server, task: str, items: int) -> None:
    with open_task(server.store, task, kind="nightly") as run, run.phase("executing"):
        for number in range(items):
            with run.work_item(f"item {number}"):
                pass


def test_the_first_difference_of_two_runs_is_found_without_javascript(
    server: Server, new_context: Callable[..., BrowserContext]
) -> None:
    create_ended_run(server, "monday", 3)
    create_ended_run(server, "tuesday", 2)
    page = new_context(java_script_enabled=False, viewport={"width": 390, "height": 844}).new_page()
    page.goto(f"{server.url}/tasks/monday")
    page.get_by_role("link", name="compare", exact=True).click()
    choice = page.get_by_label("Other runs of kind nightly")
    choice.select_option(choice.locator("option", has_text="tuesday").get_attribute("value"))
    page.get_by_role("button", name="Compare").first.click()
    expect(page.get_by_text("First difference: item 2 in executing: done in A, missing in B.")).to_be_visible()
    page.get_by_role("link", name="Differences only").click()
    expect(page.locator(".compare-work")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("link", name="Swap A and B").click()
    expect(page.get_by_text("missing in A, done in B.")).to_be_visible()
