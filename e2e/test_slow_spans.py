"""Test finding the slow span of a run: by table, by waterfall and by flame view."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from e2e.axe import add_axe, expect_accessible
from e2e.live_checks import expect_equal_to_fresh
from signalbox.store.contract import TaskRecord
from signalbox.store.events import Event
from tests.support.server import Server

AT = datetime(2026, 11, 21, 14, tzinfo=UTC)


@pytest.fixture(scope="module")
def shards(shared_server: Server) -> Server:
    """Create a run of 60 similar work items, each 10 ms long, and a slow one of 2.4 s."""
    lines = [("runner_spawn", "main", 0.0)]
    at = 0.0
    for number in range(60):
        took = 2.4 if number == 31 else 0.01
        lines += [("work_item_start", f"shard-{number}", at), ("work_item_complete", f"shard-{number}", at + took)]
        at += took
    events = [
        Event(
            event_id=seq,
            task_id="shards",
            seq=seq,
            event_type=kind,
            phase=None,
            actor="runner",
            span_id=span,
            parent_span_id=None if span == "main" else "main",
            payload_json=msgspec.Raw(b"{}"),
            created_at=f"{(AT + timedelta(seconds=seconds)).isoformat(timespec='microseconds')[:-6]}Z",
        )
        for seq, (kind, span, seconds) in enumerate([*lines, ("runner_exit", "main", at)], 1)
    ]
    shared_server.store.import_task(TaskRecord(task_id="shards", created_at=events[0].created_at), events)
    return shared_server


def test_the_slow_span_is_one_click_from_the_task_without_javascript(shards: Server, plain_page: Page) -> None:
    page = plain_page
    page.goto(f"{shards.url}/tasks/shards")
    page.get_by_role("link", name="slowest").click()
    expect(page.locator("tbody th a").first).to_have_text("shard-31")
    page.goto(f"{shards.url}/tasks/shards/waterfall")
    expect(page.locator(".fall-link")).to_have_text(["run", re.compile("60 × shard"), "shard-31"])


@pytest.mark.long
def test_choices_in_the_waterfall_keep_the_page_and_its_scroll_position(
    shards: Server, page: Page, context: BrowserContext
) -> None:
    page.set_viewport_size({"width": 1200, "height": 500})
    page.goto(f"{shards.url}/tasks/shards/waterfall?open=shard-0")
    page.evaluate("() => { window.sameDocument = true; }")
    bar = page.locator("#span-shard-40 .fall-show")
    bar.scroll_into_view_if_needed()
    scrolled = page.evaluate("scrollY")
    expect(page.locator(".fall-axis text").first).to_be_in_viewport()
    bar.click()
    expect(page.locator("#span-shard-40 .fall-facts")).to_contain_text("10 ms (100 %)")
    assert page.evaluate("scrollY") == pytest.approx(scrolled, abs=2)
    expect_equal_to_fresh(page, context)

    axis = page.locator(".fall-axis").bounding_box()
    assert axis
    page.mouse.move(axis["x"] + 0.2 * axis["width"], axis["y"] + 30)
    page.mouse.down()
    page.mouse.move(axis["x"] + 0.4 * axis["width"], axis["y"] + 34, steps=3)
    expect(page.locator(".fall-zoom")).to_have_count(1)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"from=0\.[56]\d+&to=1\.[12]\d+"))
    expect(page.locator(".fall-link")).to_have_text(["run", "shard-31"])
    page.go_back()
    expect(page.locator("#span-shard-40 .fall-facts")).to_be_visible()
    assert page.evaluate("window.sameDocument")
    page.get_by_label("Name").fill("shard-5")
    page.keyboard.press("Enter")
    expect(page.locator(".fall-link").first).to_have_text("run")
    expect(page).to_have_url(re.compile("q=shard-5"))


@pytest.mark.long
@pytest.mark.parametrize("path", ["/waterfall?show=shard-31", "/flame", "/spans?sort=duration"])
def test_axe_finds_no_violation_on_a_phone(shards: Server, page: Page, path: str) -> None:
    add_axe(page)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{shards.url}/tasks/shards{path}")
    expect(page.locator("live-status")).to_contain_text("Live")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        expect_accessible(page)


def test_back_to_a_page_that_does_not_load_shows_why(shards: Server, page: Page, expect_console: list[str]) -> None:
    expect_console.append("503")
    page.goto(f"{shards.url}/tasks/shards/waterfall")
    page.get_by_role("link", name="Slowest 10").click()
    expect(page).to_have_url(re.compile("slowest=10"))
    page.route("**/tasks/shards/waterfall", lambda route: route.fulfill(status=503, body="the server is busy"))
    page.go_back()
    expect(page.get_by_text("the server is busy")).to_be_visible()


def test_the_address_is_that_of_the_last_of_two_quick_choices(shards: Server, page: Page) -> None:
    page.goto(f"{shards.url}/tasks/shards/waterfall")
    waiting: list[Route] = []
    page.route("**/waterfall?*slowest=10*", lambda route: waiting.append(route))
    with page.expect_request("**/waterfall?*slowest=10*"):
        page.get_by_role("link", name="Slowest 10").click()
    page.get_by_role("link", name="alone").click()
    expect(page).to_have_url(re.compile("critical=only"))
    with page.expect_response("**/waterfall?*slowest=10*") as response:
        waiting[0].continue_()
    response.value.finished()
    page.evaluate("() => new Promise((done) => setTimeout(done))")
    expect(page.locator(".falls-choices [aria-current], [aria-current=true]").filter(has_text="alone")).to_have_count(1)
    assert "critical=only" in page.url
