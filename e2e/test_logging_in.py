"""Test logging in with a browser: the redirect and back, and the message of a page whose session has ended."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from e2e.axe import THEMES, add_axe, expect_accessible
from e2e.live_checks import expect_equal_to_fresh, expect_live_at
from signalbox.store import NewEvent
from signalbox.store.people import Account
from tests.support.people import PASSWORD, person, token, wait_until_guarded
from tests.support.server import Server


@pytest.fixture(scope="module")
def ann(shared_server: Server) -> Account:
    shared_server.store.create_task("run")
    ask = {"request_id": "r1", "tool_name": "shell"}
    shared_server.emit("run", "hello", NewEvent(event_type="permission_request", payload=ask))
    account = person(shared_server.store, "ann@example.org", default="operator")
    token(shared_server.store, "nightly", account_id=account.account_id, scopes=("read", "emit"), seconds=86400)
    token(shared_server.store, "used up", account_id=account.account_id, scopes=("read",), seconds=-60)
    wait_until_guarded(shared_server)
    return account


def log_in(page: Page, email: str = "ann@example.org", password: str = PASSWORD) -> None:
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


@pytest.mark.long
def test_a_link_continues_to_its_page_after_the_log_in(
    server: Server, ann: Account, page: Page, context: BrowserContext, expect_console: list[str]
) -> None:
    expect_console.append("401")
    page.goto(f"{server.url}/tasks/run")
    log_in(page, password="something else")
    expect(page.get_by_role("alert")).to_contain_text("Wrong e-mail or password")
    log_in(page)
    expect_live_at(page, 2)
    expect_equal_to_fresh(page, context)
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#e3")).to_contain_text("approved by ann@example.org")
    page.locator(".person summary").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_text("You are logged out.")).to_be_visible()


def test_logging_in_works_without_javascript(server: Server, ann: Account, plain_page: Page) -> None:
    page = plain_page
    page.goto(f"{server.url}/permissions")
    log_in(page)
    expect(page.get_by_role("heading", name="Permissions")).to_be_visible()
    page.locator(".person summary").click()
    page.get_by_role("link", name="Account and tokens").click()
    expect(page.get_by_role("heading", name="ann@example.org")).to_be_visible()


def test_a_page_whose_session_ended_says_so_and_stops(
    server: Server, ann: Account, page: Page, expect_console: list[str]
) -> None:
    expect_console.append("401")
    bob = person(server.store, "bob@example.org", default="viewer")
    page.goto(f"{server.url}/tasks/run")
    log_in(page, "bob@example.org")
    expect(page.locator("html")).to_have_attribute("data-live", "live")
    server.store.people.set_disabled(bob.account_id, True)
    expect(page.locator("html")).to_have_attribute("data-live", "error")
    expect(page.locator("live-status")).to_contain_text("you are logged out")


@pytest.fixture(params=THEMES)
def themed_page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    context = browser.new_context(**THEMES[request.param])
    add_axe(context)
    yield context.new_page()
    context.close()


@pytest.mark.long
def test_axe_finds_no_violation_on_the_log_in_page(server: Server, ann: Account, themed_page: Page) -> None:
    themed_page.goto(f"{server.url}/account")
    expect_accessible(themed_page)
    log_in(themed_page, password="something else")
    expect(themed_page.get_by_role("alert")).to_be_visible()
    expect_accessible(themed_page)
    log_in(themed_page)
    expect(themed_page.get_by_role("heading", name="ann@example.org")).to_be_visible()
    expect_accessible(themed_page)
    themed_page.locator(".person summary").click()
    expect_accessible(themed_page)
