"""Test running a command again from its page: it needs two presses, and works with and without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from e2e.browser import PHONE
from e2e.live_checks import expect_equal_to_fresh
from tests.support.command import signalbox
from tests.support.server import Server


def run(server: Server, task: str, *where: str) -> None:
    process = signalbox("run", *where, "--task", task, "--title", "Say it", "--", "sh", "-c", "echo 'once more'")
    assert process.returncode == 0, process.stderr


@pytest.mark.long
def test_a_retry_takes_two_presses_and_opens_the_new_run(server: Server, page: Page, context: BrowserContext) -> None:
    run(server, "again", "--store", server.store_url)
    first = context.new_page()
    for open_page in (page, first):
        open_page.goto(f"{server.url}/tasks/again")
        expect(open_page.locator("live-status")).to_contain_text("Live ·")
    page.locator("summary", has_text="Retry").click()
    expect(page.locator(".control-said")).to_contain_text("sh -c 'echo '\"'\"'once more'\"'\"''")
    assert server.latest("again") == 3
    page.get_by_role("button", name="Run again").click()
    expect(page).not_to_have_url(re.compile("/again$"))
    expect(page.locator("#task-header")).to_contain_text("attempt 2, retry of again")
    expect(page.locator("#task-header")).to_contain_text("done")
    expect(page.locator("#log-rows")).to_contain_text("once more")
    expect_equal_to_fresh(page, context)

    expect(first.locator("#task-header")).to_contain_text("retried: attempt 2")
    expect_equal_to_fresh(first, context)
    first.get_by_role("link", name="attempt 2").click()
    expect(first).to_have_url(page.url)


def test_a_run_can_be_retried_without_javascript_on_a_phone(
    server: Server, new_context: Callable[..., BrowserContext]
) -> None:
    run(server, "small", "--store", server.store_url)
    page = new_context(**PHONE, java_script_enabled=False).new_page()
    page.goto(f"{server.url}/tasks/small")
    expect(page.get_by_role("button", name="Run again")).to_be_hidden()
    page.locator("summary", has_text="Retry").tap()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_role("button", name="Run again").tap()
    expect(page.locator("#task-header")).to_contain_text("attempt 2, retry of small")
    page.get_by_role("link", name="small", exact=True).tap()
    expect(page).to_have_url(f"{server.url}/tasks/small")
    page.get_by_role("link", name="attempt 2").tap()
    expect(page.locator("#task-header")).to_contain_text("Say it")


def test_a_command_that_the_server_cannot_run_is_shown_for_copying(server: Server, page: Page) -> None:
    run(server, "far", "--server", server.url)
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"{server.url}/tasks/far")
    page.locator("summary", has_text="Retry").click()
    shell = page.get_by_role("region", name="The command")
    expect(shell).to_contain_text(f"signalbox run --server {server.url} --retry-of far -- sh -c")
    expect(page.get_by_role("button", name="Run again")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
