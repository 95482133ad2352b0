"""Test reading a log: days in the viewer's zone, highlights across colours, rows of several lines, heartbeats."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from e2e.live_checks import content, expect_equal_to_fresh, expect_live_at, expect_rows
from signalbox.store import NewEvent
from signalbox.store.contract import TaskRecord
from signalbox.store.events import Event
from tests.support.server import Server

DAYS = "() => [...document.querySelectorAll('.day')].map((day) => [day.parentElement.id, day.textContent])"


def event(seq: int, at: str) -> Event:
    return Event(
        event_id=seq,
        task_id="days",
        seq=seq,
        event_type="log",
        phase=None,
        actor="runner",
        span_id="main",
        parent_span_id=None,
        payload_json=msgspec.Raw(msgspec.json.encode({"message": f"line {seq}"})),
        created_at=at,
    )


@pytest.mark.long
def test_days_start_at_the_viewers_midnight_in_loaded_and_live_rows(
    server: Server, new_context: Callable[..., BrowserContext]
) -> None:
    events = [event(n, f"2026-11-{10 + (n - 1) // 24}T{(n - 1) % 24:02}:30:00.000000Z") for n in range(1, 241)]
    server.store.import_task(TaskRecord(task_id="days", created_at=events[0].created_at), events)
    context = new_context(timezone_id="America/New_York")
    page = context.new_page()
    page.goto(f"{server.url}/tasks/days")
    expect_live_at(page, len(events))
    fresh = page.evaluate(DAYS)
    first = len(events) - 199
    # Midnight in New York is 5:00 UTC, so the row of 5:30 is the first of its day.
    assert fresh[:2] == [[f"e{first}", "Wednesday 11 November 2026"], ["e54", "Thursday 12 November 2026"]]

    server.emit("days", "today")
    expect_live_at(page, len(events) + 1)
    later = context.new_page()
    later.goto(page.url)
    expect_live_at(later, len(events) + 1)
    assert page.evaluate(DAYS) == later.evaluate(DAYS)
    assert later.evaluate(DAYS)[-1][0] == f"e{len(events) + 1}"

    page.locator(".log-scroll").evaluate("node => node.scrollTo(0, -node.scrollHeight)")
    page.get_by_role("link", name="Older events").click()
    expect(page.locator("#e1")).to_be_attached()
    expect_rows(page, 1, len(events) + 1)
    fresh_page = context.new_page()
    fresh_page.goto(f"{server.url}/tasks/days/log?after=0")
    expected = [day for day in fresh_page.evaluate(DAYS) if day[0] != f"e{len(events) + 1}"]
    assert [day for day in page.evaluate(DAYS) if day[0] != f"e{len(events) + 1}"][: len(expected)] == expected


def test_a_late_event_shows_occurred_at_on_the_day_of_its_append(
    server: Server, new_context: Callable[..., BrowserContext]
) -> None:
    context = new_context(timezone_id="America/New_York")
    page = context.new_page()
    server.emit("late", "at once")
    page.goto(f"{server.url}/tasks/late")
    expect_live_at(page, 1)
    late_event = NewEvent(event_type="log", payload={"message": "told late"}, occurred_at="2026-11-20T02:00:00Z")
    server.emit("late", late_event, "at once")
    expect_live_at(page, 3)
    time = page.locator("#e2 > time")
    expect(time).to_have_text("11-19 21:00:00")
    assert "2026-11-19 21:00:00 GMT-5" in (time.get_attribute("title") or "")
    assert ", appended " in (time.get_attribute("title") or "")
    assert [row for row, _ in page.evaluate(DAYS)] == ["e1"]
    expect_equal_to_fresh(page, context)


def test_an_event_of_the_same_day_of_another_year_shows_its_date(
    server: Server, new_context: Callable[..., BrowserContext]
) -> None:
    context = new_context(timezone_id="America/New_York")
    page = context.new_page()
    page.goto(f"{server.url}/tasks")
    years_ago = datetime.now(UTC).replace(year=2012).strftime("%Y-%m-%dT%H:%M:%SZ")
    server.emit("old", NewEvent(event_type="log", payload={"message": "told late"}, occurred_at=years_ago))
    page.goto(f"{server.url}/tasks/old")
    expect_live_at(page, 1)
    expect(page.locator("#e1 > time")).to_have_text(re.compile(r"^2012-\d\d-\d\d$"))


def test_a_match_across_colours_is_marked(server: Server, page: Page) -> None:
    server.emit("hues", "\x1b[31mfai\x1b[0mled and Failed", "\x1b[1mf\x1b[2ma\x1b[3miled")
    page.goto(f"{server.url}/tasks/hues/log?q=failed")
    page.wait_for_function("() => CSS.highlights.get('found')?.size === 3")
    marked = page.evaluate("() => [...CSS.highlights.get('found')].map(String)")
    assert marked == ["failed", "Failed", "failed"]


def test_a_row_of_several_lines_expands_at_its_toggle(server: Server, page: Page) -> None:
    server.emit("lines", "one\ntwo\nthree", "last")
    page.goto(f"{server.url}/tasks/lines")
    row = page.locator("#e1")
    closed = row.bounding_box()
    row.get_by_role("link", name="+2 lines").click()
    expect(row.locator("code")).to_contain_text("three")
    page.wait_for_function(
        f"() => document.querySelector('#e1').offsetHeight > {closed['height'] + 40 if closed else 0}"
    )


def test_heartbeats_add_no_rows_but_update_the_heartbeat_line(
    server: Server, page: Page, context: BrowserContext
) -> None:
    beat = NewEvent(event_type="runner_heartbeat")
    server.emit("beats", NewEvent(event_type="runner_spawn"), "waiting", beat)
    page.goto(f"{server.url}/tasks/beats")
    expect(page.locator("#log-alive")).to_contain_text("1 heartbeat")
    server.emit("beats", *[beat] * 300)
    expect_live_at(page, 303)
    expect(page.locator("#log-alive")).to_contain_text("alive, last heartbeat")
    expect(page.locator("#log-alive")).to_contain_text("301 heartbeats")
    expect_rows(page, 1, 2)
    server.emit("beats", "at last")
    expect_live_at(page, 304)
    assert page.locator("#log-rows > li").count() == 3
    expect_equal_to_fresh(page, context)
    server.emit("beats", NewEvent(event_type="runner_exit", payload={"exit_code": 0}))
    expect_live_at(page, 305)
    expect(page.locator("#log-alive")).not_to_contain_text("alive")
    assert "301 heartbeats" in content(page)
