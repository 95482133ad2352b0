"""Test the search over all runs in a browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from e2e.axe import THEMES, expect_accessible
from e2e.visitor import Visitor
from signalbox.store import NewEvent
from tests.support.server import Server


@pytest.fixture(scope="module")
def site(shared_server: Server) -> Server:
    for number, kind in enumerate(("searched-build", "searched-deploy")):
        shared_server.store.create_task(f"searched-{number}", title=f"Searched {number}", kind=kind)
        lines = [
            NewEvent(event_type="log", payload={"message": f"pump {at} of {kind} is \x1b[31mbroken\x1b[0m"})
            for at in range(60)
        ]
        shared_server.store.append(f"searched-{number}", lines)
    return shared_server


@pytest.mark.long
def test_a_person_finds_a_line_and_goes_to_it(site: Server, page: Page) -> None:
    page.goto(f"{site.url}/tasks")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Search").click()
    expect(page).to_have_url(f"{site.url}/search")
    page.get_by_label("Find text in all runs").fill("is BROKEN")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator(".search-stand")).to_contain_text("120 matches")
    expect(page.locator(".match mark").first).to_have_text("is broken")
    page.get_by_role("navigation", name="Kind").get_by_role("link", name="searched-build").click()
    expect(page.locator(".search-stand")).to_contain_text("60 matches")
    page.get_by_role("link", name="Older").click()
    expect(page.locator(".match")).to_have_count(10)
    page.get_by_role("link", name="Newer").click()
    expect(page.locator(".match")).to_have_count(50)
    page.locator(".match-text").first.click()
    expect(page).to_have_url(re.compile(r"/tasks/searched-0/log\?around=60&identity=\w+#e60"))
    expect(page.locator("#e60")).to_contain_text("pump 59")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("query", ["", "?q=broken&level=error&kind=none", "?q=broken&type=log"])
def test_the_search_is_accessible(site: Server, visitor: Visitor, query: str, theme: str) -> None:
    expect_accessible(visitor.show(f"{site.url}/search{query}", theme))
