"""Test that every live page of a task ends equal to a freshly loaded one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from e2e.live_checks import (
    expect_equal_to_fresh,
    expect_equal_to_response,
    expect_live_at,
    expect_rows,
)
from e2e.random_run import run
from signalbox.store import NewEvent
from tests.support.server import Server

VIEWS = {
    "the waterfall": "/waterfall",
    "the waterfall, unfolded": "/waterfall?gaps=open",
    "the timeline": "/timeline",
    "the table of spans by self time": "/spans?sort=self",
    "the flame view": "/flame",
    "a span that opens and ends": "/spans/phase-0",
    "the main span": "/spans/main",
    "a log searched for a text": "/log?q=line",
    "a log filtered by type": "/log?type=work_item_start",
    "all failures of a log": "/log?failed=1",
    "the second page of hits": "/log?q=e&after=30",
    "a window of the log that grows until it is full": "/log?after=20",
    "a window in the middle of the log, where no failure was found": "/log?around=30&failure_after=30",
    "a window of the log that begins later": "/log?around=100",
    "a window that ends before a future event": "/log?before=100",
}


@pytest.mark.long
@pytest.mark.parametrize("path", VIEWS.values(), ids=VIEWS.keys())
def test_an_open_view_equals_a_fresh_one(server: Server, page: Page, context: BrowserContext, path: str) -> None:
    task = "view" + "".join(letter if letter.isalnum() else "-" for letter in path)
    events = list(run(11, 240))
    server.post("/api/tasks", {"task_id": task, "title": "A run"})
    server.emit(task, *events[:40])
    page.goto(f"{server.url}/tasks/{task}{path}")
    for start in (40, 41, 60, 140):
        server.emit(task, *events[start : {40: 41, 41: 60, 60: 140, 140: None}[start]])
        expect_live_at(page, server.latest(task))
        expect_equal_to_response(page)
    expect_equal_to_fresh(page, context)


def test_an_answer_from_another_client_closes_the_permission_request_on_its_page(server: Server, page: Page) -> None:
    request = NewEvent(event_type="permission_request", payload={"request_id": "r 1", "tool_name": "rm"})
    server.emit("asked", NewEvent(event_type="runner_spawn", span_id="main"), request)
    page.goto(f"{server.url}/tasks/asked/permissions/r%201")
    expect(page.get_by_role("button", name="Approve")).to_be_visible()
    expect_live_at(page, 2)
    server.emit(
        "asked",
        NewEvent(event_type="permission_response", payload={"request_id": "r 1", "approved": False, "by": "ann"}),
    )
    expect(page.locator(".permission-outcome")).to_contain_text("Denied by ann")
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    expect_equal_to_response(page)


def test_matches_in_new_rows_are_marked_too(server: Server, page: Page) -> None:
    server.emit("marks", "a needle")
    page.goto(f"{server.url}/tasks/marks/log?q=needle")
    expect_live_at(page, 1)
    server.emit("marks", "hay", "another needle")
    expect(page.locator("#e3")).to_be_visible()
    expect(page.locator("#log-found")).to_have_text("2 of 3 events")
    page.wait_for_function("() => CSS.highlights.get('found')?.size === 2")


def test_a_window_of_the_log_does_not_move_while_the_log_grows(server: Server, page: Page) -> None:
    server.emit("window", *[f"line {n}" for n in range(1, 151)])
    page.goto(f"{server.url}/tasks/window/log?around=120#e120")
    expect_live_at(page, 150)
    place = page.locator("#e120").bounding_box()
    server.emit("window", *[f"line {n}" for n in range(151, 301)])
    expect(page.get_by_role("link", name="80 newer")).to_be_visible()
    expect_rows(page, 21, 220)
    expect(page.locator("#e120:target")).to_be_in_viewport()
    assert page.locator("#e120").bounding_box() == place
    expect_equal_to_response(page)


def test_an_open_view_of_an_ended_run_shows_no_current_time(server: Server, page: Page) -> None:
    events = list(run(12, 60))
    server.emit("ends", *events[:30])
    page.goto(f"{server.url}/tasks/ends/waterfall")
    expect(page.locator(".fall-now")).to_have_count(1)
    server.emit("ends", *events[30:])
    expect_live_at(page, len(events))
    expect(page.locator(".fall-now")).to_have_count(0)


def test_a_view_reloads_when_the_history_was_replaced(
    start_server: Callable[..., Server], page: Page, expect_console: list[str]
) -> None:
    expect_console.append("net::ERR_|network error|Failed to fetch")
    server = start_server()
    server.emit("again", *list(run(12, 60))[:30])
    page.goto(f"{server.url}/tasks/again/timeline")
    expect_live_at(page, 30)
    server.replace_database()
    server.emit("again", NewEvent(event_type="runner_spawn", payload={"message": "from the start"}))
    server.start()
    expect(page.locator("#story")).to_contain_text("from the start")
    expect_live_at(page, 1)


def test_unchanged_fragments_are_not_sent_again(server: Server, page: Page) -> None:
    server.emit("calm", *list(run(12, 60))[:30])
    page.goto(f"{server.url}/tasks/calm/timeline")
    expect_live_at(page, 30)
    server.emit("calm", "one line")
    expect_live_at(page, 31)

    page.evaluate("() => document.querySelector('#story').setAttribute('data-touched', '')")
    server.emit("calm", "another line")
    expect_live_at(page, 32)
    expect(page.locator("#story")).to_have_attribute("data-touched", "")
    expect(page.locator("#stand")).to_contain_text("as of #32")


def test_a_comparison_is_live_while_other_runs_write(server: Server, page: Page, context: BrowserContext) -> None:
    first, second = list(run(13, 80)), list(run(14, 80))
    server.emit("first", *first)
    server.emit("second", *second[:30])
    page.goto(f"{server.url}/compare?a=first&b=second")
    expect(page.locator("live-status")).to_contain_text("Live ·")
    for events in (second[30:50], second[50:]):
        server.emit("beside", "not compared")
        server.emit("second", *events)
        expect(page.locator("#comparison")).to_contain_text(f"as of #{server.latest('second')}")
        expect_equal_to_response(page)
    expect_equal_to_fresh(page, context)


def test_watched_runs_are_live_on_one_stream(server: Server, page: Page, context: BrowserContext) -> None:
    first, second = list(run(15, 60)), list(run(16, 60))
    server.emit("one", *first[:20])
    server.emit("two", *second[:20])
    page.goto(f"{server.url}/tasks")
    for name in ("one", "two"):
        page.get_by_role("checkbox", name=f"Select {name}", exact=True).check()
    page.get_by_role("button", name="Watch").click()
    expect(page.locator(".tile")).to_have_count(2)
    for events in (first[20:40], first[40:]):
        server.emit("beside", "not watched")
        newest = server.emit("one", *events)[-1]
        expect_live_at(page, newest.event_id)
        expect_equal_to_response(page)
    newest = server.emit("two", *second[20:])[-1]
    expect_live_at(page, newest.event_id)
    expect_equal_to_fresh(page, context)
