"""Test the payload viewer in a browser: its views, its search, its pieces, and that live pages keep it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from e2e.live_checks import expect_equal_to_fresh, expect_live_at
from signalbox.store import NewEvent
from tests.support.server import Server

ARGUMENTS = {"command": "make clean && make", "note": "# Why\n\nIt is **old**.", "files": [f"f{n}" for n in range(300)]}
REQUEST = NewEvent(
    event_type="permission_request",
    payload={"request_id": "p1", "tool_name": "bash", "arguments": ARGUMENTS, "reason": "see https://example.org/why."},
)


@pytest.fixture(scope="module")
def server(shared_server: Server) -> Server:
    shared_server.emit("viewed", REQUEST)
    return shared_server


def view(viewer: Locator, name: str) -> Locator:
    return viewer.locator(".viewer-views a", has_text=name)


@pytest.mark.long
def test_a_viewer_changes_in_place_and_is_kept_by_a_live_page(
    server: Server, new_context: Callable[..., BrowserContext]
) -> None:
    context = new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"{server.url}/tasks/viewed")
    expect_live_at(page, server.latest("viewed"))
    viewer = page.locator(".permission .viewer")
    expect(viewer.locator(".shell")).to_have_text("$ make clean && make")
    expect(page.locator(".permission-reason a")).to_have_attribute("href", "https://example.org/why")

    view(viewer, "Markdown").click()
    expect(viewer.locator(".markdown strong")).to_have_text("old")
    expect(view(viewer, "Markdown")).to_have_attribute("aria-current", "true")

    view(viewer, "JSON").click()
    fold = viewer.locator(".json-fold", has_text="files")
    fold.locator("summary").click()
    expect(fold.locator(".piece")).to_have_text("Show 100 of 200 more")
    fold.locator(".piece").click()
    expect(fold).to_contain_text('"f199"')

    # A frame that renders the card again leaves the viewer as it is.
    server.emit("viewed", NewEvent(event_type="permission_request", payload={"request_id": "p2", "tool_name": "rm"}))
    expect(page.locator(".permission")).to_have_count(2)
    expect(fold).to_contain_text('"f199"')
    expect_equal_to_fresh(page, context)

    search = viewer.locator("input[type=search]")
    search.fill("f234")
    search.press("Enter")
    expect(viewer.locator("mark")).to_have_text("f234")
    expect(viewer).to_contain_text("1 match")
    expect(page).to_have_url(f"{server.url}/tasks/viewed")

    viewer.get_by_role("button", name="Copy").click()
    expect(viewer.get_by_role("button", name="Copied")).to_be_visible()
    assert '"f299"' in page.evaluate("() => navigator.clipboard.readText()")

    page.locator("#e1 .turn").click()
    opened = page.locator("#e1 .viewer")
    expect(view(opened, "JSON")).to_have_attribute("aria-current", "true")
    view(opened, "Raw").click()
    expect(view(opened, "Raw")).to_have_attribute("aria-current", "true")
    expect(page).to_have_url(f"{server.url}/tasks/viewed")


@pytest.mark.long
def test_a_viewer_works_without_scripts(server: Server, new_context: Callable[..., BrowserContext]) -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto(f"{server.url}/tasks/viewed")
    viewer = page.locator(".viewer")
    view(viewer.first, "JSON").click()
    expect(view(viewer, "JSON")).to_have_attribute("aria-current", "true")
    viewer.locator(".json-fold summary").click()
    viewer.locator(".piece").click()
    expect(viewer).to_contain_text('"f99"')
    viewer.locator(".piece").click()
    expect(viewer).to_contain_text('"f199"')
    viewer.get_by_role("link", name="From the beginning").click()
    expect(viewer).to_contain_text('"f0"')
    page.locator(".payload-place a", has_text="arguments").click()
    viewer.locator("input[type=search]").fill("f234")
    viewer.locator("input[type=search]").press("Enter")
    expect(viewer.locator("mark")).to_have_text("f234")
    expect(page.locator(".payload-place")).to_have_text("payload › arguments")
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)
