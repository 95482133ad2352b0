"""Test that the live task page ends equal to a freshly loaded page, whenever it was opened."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from e2e.live_checks import expect_equal_to_fresh, expect_equal_to_response, expect_live_at
from e2e.random_run import run
from signalbox.store import NewEvent
from tests.support.server import Server


@pytest.mark.long
def test_a_page_open_from_the_first_event_ends_equal_to_a_fresh_one(
    server: Server, page: Page, context: BrowserContext
) -> None:
    server.post("/api/tasks", {"task_id": "whole", "title": "A whole run", "kind": "test"})
    page.goto(f"{server.url}/tasks/whole")
    expect_live_at(page, 0)
    events = list(run(1, 3000))
    for start in range(0, len(events), 37):
        server.emit("whole", *events[start : start + 37])
    expect_live_at(page, server.latest("whole"))
    expect_equal_to_fresh(page, context)
    expect(page.locator("#task-header")).to_contain_text("done")


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4))
def test_a_page_opened_in_the_middle_ends_equal_to_a_fresh_one(
    server: Server, page: Page, context: BrowserContext, seed: int
) -> None:
    task = f"middle-{seed}"
    events = list(run(seed, 400))
    opened_after = 1 + (seed * 97) % 350
    server.emit(task, *events[:opened_after])
    page.goto(f"{server.url}/tasks/{task}")
    rng = random.Random(seed)
    while rest := events[opened_after:]:
        opened_after += len(server.emit(task, *rest[: rng.choice([1, 3, 20])]))
    expect_live_at(page, server.latest(task))
    expect_equal_to_fresh(page, context)


@pytest.mark.long
def test_the_page_equals_a_fresh_one_after_every_single_event(
    server: Server, page: Page, context: BrowserContext
) -> None:
    events = list(run(7, 25))
    server.emit("steps", events[0])
    page.goto(f"{server.url}/tasks/steps")
    for event in events[1:]:
        server.emit("steps", event)
        expect_live_at(page, server.latest("steps"))
        expect_equal_to_response(page)
    expect_equal_to_fresh(page, context)


def test_the_log_follows_and_keeps_the_newest_window(server: Server, page: Page) -> None:
    server.emit("follow", *[f"line {n}" for n in range(500)])
    page.goto(f"{server.url}/tasks/follow")
    expect(page.locator("#log-rows > li")).to_have_count(200)
    server.emit("follow", *[f"line {n}" for n in range(500, 1100)])
    expect_live_at(page, 1100)
    expect(page.locator("#log-rows > li")).to_have_count(200)
    expect(page.locator("#e1100")).to_be_in_viewport()
    assert page.locator("#log-rows > li").first.get_attribute("id") == "e901"


def test_new_rows_do_not_scroll_a_reader_of_older_rows(server: Server, page: Page) -> None:
    server.emit("reader", *[f"line {n}" for n in range(1, 301)])
    page.goto(f"{server.url}/tasks/reader")
    expect(page.locator("#e300")).to_be_in_viewport()
    page.locator("#e150").scroll_into_view_if_needed()
    page.mouse.move(700, 600)
    page.locator("#e150").hover()
    page.mouse.wheel(0, -40)
    expect(page.locator("#e150")).to_be_in_viewport()
    server.emit("reader", *[f"line {n}" for n in range(301, 331)])
    expect_live_at(page, 330)
    expect(page.locator("#e150")).to_be_in_viewport()
    button = page.get_by_role("button", name=re.compile("30 new"))
    button.click()
    expect(page.locator("#e330")).to_be_in_viewport()


def test_older_rows_are_loaded_on_demand(server: Server, page: Page) -> None:
    server.emit("older", *[f"line {n}" for n in range(1, 501)])
    page.goto(f"{server.url}/tasks/older")
    expect(page.locator("#log-rows > li")).to_have_count(200)
    page.get_by_role("link", name="Older events").click()
    expect(page.locator("#e101")).to_be_attached()
    ids = page.locator("#log-rows > li").evaluate_all("rows => rows.map(row => row.id)")
    assert ids == [f"e{n}" for n in range(101, 501)]


def test_a_link_to_an_event_shows_that_event(server: Server, page: Page) -> None:
    server.emit("linked", *[f"line {n}" for n in range(1, 301)])
    page.goto(f"{server.url}/tasks/linked#e150")
    expect(page.locator("#e150")).to_be_in_viewport()
    server.emit("linked", "one more")
    expect_live_at(page, 301)
    expect(page.locator("#e150")).to_be_in_viewport()


@pytest.mark.long
def test_two_viewers_at_different_times_see_the_same(
    server: Server, new_context: Callable[..., BrowserContext]
) -> None:
    events = list(run(11, 300))
    server.emit("two", *events[:50])
    first = new_context().new_page()
    first.goto(f"{server.url}/tasks/two")
    server.emit("two", *events[50:150])
    second_context = new_context()
    second = second_context.new_page()
    second.goto(f"{server.url}/tasks/two")
    server.emit("two", *events[150:])
    for page in (first, second):
        expect_live_at(page, server.latest("two"))
        expect_equal_to_fresh(page, second_context)


def test_hostile_text_is_shown_as_text_and_runs_no_script(server: Server, page: Page, context: BrowserContext) -> None:
    hostile = (
        "\"'><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">{{7*7}}</hx-partial>"
    )
    page.goto(f"{server.url}/tasks")
    server.post("/api/tasks", {"task_id": "hostile", "title": hostile, "kind": hostile[:200]})
    server.emit("hostile", "first")
    page.goto(f"{server.url}/tasks/hostile")
    expect_live_at(page, 1)
    server.emit(
        "hostile",
        NewEvent(event_type=hostile[:200], phase=hostile[:200], actor=hostile[:200], payload={hostile: hostile}),
        NewEvent(event_type="log", payload={"message": hostile + "\n\r\u2028 \x00 data: x"}),
        NewEvent(event_type="work_item_start", span_id=hostile[:200], payload={"work_item_id": hostile}),
        NewEvent(
            event_type="checkpoint_commit",
            payload={"checkpoint_id": hostile, "evidence_refs": {"artifacts": [hostile]}},
        ),
        NewEvent(
            event_type="permission_request", payload={"request_id": hostile, "tool_name": hostile, "reason": hostile}
        ),
    )
    expect_live_at(page, 6)
    expect(page.locator("#log-rows")).to_contain_text("<script>")
    expect(page).to_have_title(re.compile(r"^\(\d+\) waiting "))
    assert page.locator("main script, main img").count() == 0
    expect_equal_to_fresh(page, context)


@pytest.mark.long
@pytest.mark.parametrize("path", ["/tasks/plain", "/tasks", "/tasks/plain/spans", "/tasks/plain/log"])
def test_pages_show_the_same_without_javascript(
    server: Server, new_context: Callable[..., BrowserContext], path: str
) -> None:
    if server.get("/api/tasks/plain").status_code == 404:
        server.emit("plain", *run(3, 250))
    with_script = new_context().new_page()
    with_script.goto(server.url + path)
    without = new_context(java_script_enabled=False).new_page()
    without.goto(server.url + path)
    words = re.sub(r"\s+", " ", without.locator("main").inner_text())
    assert len(words) > 100
    volatile_free = "main :not([data-volatile], [data-volatile] *)"
    assert with_script.locator(volatile_free).count() == without.locator(volatile_free).count()
