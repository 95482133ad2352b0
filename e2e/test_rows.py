"""Test the rows of a log: opening them, folding their groups, wrapping them, and their columns."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from e2e.live_checks import expect_equal_to_fresh, expect_equal_to_response, expect_live_at
from signalbox.store import NewEvent
from tests.support.server import Server

LONG = "word " * 400
TRACE = "Traceback:\n  File 'x.py'\n    f()\nZeroDivisionError"


def event(kind: str, span: str, parent: str | None = None, **payload: object) -> NewEvent:
    return NewEvent(event_type=kind, span_id=span, parent_span_id=parent, payload=payload)


def height(row: Locator) -> float:
    box = row.bounding_box()
    return box["height"] if box else 0


def expect_open(row: Locator, is_open: bool = True) -> None:
    expect(row.locator(".turn")).to_have_attribute("aria-expanded", str(is_open).lower())
    assert (height(row) > 40) == is_open


@pytest.mark.long
def test_rows_open_by_click_and_enter_and_stay_open_while_the_page_is_live(
    server: Server, page: Page, context: BrowserContext
) -> None:
    tool = event("tool_result", "t", tool_name="grep", status="done", result={"found": 3})
    server.emit("open", LONG, TRACE, tool, "short")
    page.goto(f"{server.url}/tasks/open")
    expect_live_at(page, 4)
    long, trace, result = page.locator("#e1"), page.locator("#e2"), page.locator("#e3")
    expect(trace.get_by_text("+3 lines")).to_be_visible()
    before = long.bounding_box()
    long.locator("code").click()
    expect_open(long)
    after = long.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(after["y"] - before["y"]) < 1, "the row stays under the pointer"

    page.keyboard.press("j")
    expect(trace.locator(".turn")).to_be_focused()
    page.keyboard.press("Enter")
    expect_open(trace)
    expect(trace.locator(".opened")).to_contain_text("runner")
    result.locator(".said").click()
    expect(result.locator(".opened")).to_contain_text("found")
    assert page.url.endswith("/tasks/open")

    server.emit("open", *[f"line {n}" for n in range(5, 9)])
    expect_live_at(page, 8)
    for row in (long, trace, result):
        expect_open(row)
    expect_equal_to_response(page)
    trace.locator("code").click()
    expect_open(trace, False)
    page.keyboard.press("Enter")
    expect_open(trace)
    page.keyboard.press("Enter")
    expect_open(trace, False)
    expect(trace.locator(".opened")).to_have_count(0)

    # Rows that leave the page and come back are as they were.
    page.locator(".log-scroll").evaluate("scroller => scroller.scrollTo(0, 0)")
    expect(page.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "true")
    server.emit("open", *[f"line {n}" for n in range(9, 209)])
    expect_live_at(page, 208)
    expect(long).to_have_count(0)
    page.locator(".log-scroll").evaluate("scroller => scroller.scrollTo(0, -scroller.scrollHeight)")
    page.get_by_role("link", name="Older events").click()
    expect(long).to_be_attached()
    expect_open(long)
    expect_open(trace, False)
    expect_open(result)


def test_selecting_text_opens_nothing(server: Server, page: Page) -> None:
    server.emit("select", "first", LONG)
    page.goto(f"{server.url}/tasks/select")
    row = page.locator("#e2")
    expect(row.locator(".turn")).to_have_attribute("aria-expanded", "false")
    box = row.locator("code").bounding_box()
    assert box is not None
    x, y = box["x"] + 60, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 90, y, steps=4)
    page.mouse.up()
    assert "word" in page.evaluate("String(getSelection())")
    expect_open(row, False)
    page.mouse.dblclick(x, y)
    assert page.evaluate("String(getSelection()).trim()") == "word"
    expect_open(row, False)
    page.mouse.click(x + 300, y)
    expect_open(row)


@pytest.mark.long
def test_wrap_and_expand_all_are_remembered(server: Server, page: Page, plain_page: Page) -> None:
    server.emit("read", LONG, TRACE)
    page.goto(f"{server.url}/tasks/read")
    with page.expect_response("**/log-reading"):
        page.get_by_role("button", name="Wrap").click()
    assert height(page.locator("#e1")) > 100
    assert height(page.locator("#e2")) < 40
    with page.expect_response("**/log-reading"):
        page.get_by_role("button", name="Expand all").click()
    expect_open(page.locator("#e2"))
    page.locator("#e2 code").click()
    expect_open(page.locator("#e2"), False)
    page.reload()
    expect(page.get_by_role("button", name="Expand all")).to_have_attribute("aria-pressed", "true")
    expect_open(page.locator("#e2"))

    plain_page.goto(f"{server.url}/tasks/read")
    assert height(plain_page.locator("#e2")) < 40
    plain_page.get_by_role("button", name="Expand all").click()
    expect(plain_page).to_have_url(f"{server.url}/tasks/read")
    expect(plain_page.get_by_role("button", name="Expand all")).to_have_attribute("aria-pressed", "true")
    assert height(plain_page.locator("#e2")) > 40
    plain_page.locator("#e1").get_by_role("link", name="Details").click()
    expect(plain_page.get_by_role("heading", level=1)).to_contain_text("#1")


@pytest.mark.long
def test_groups_of_lines_and_of_spans_fold(server: Server, page: Page, context: BrowserContext) -> None:
    server.emit("folds", "::group::Install", "one", "two", "::endgroup::", "between", "::group::Test")
    page.goto(f"{server.url}/tasks/folds")
    expect_live_at(page, 6)
    install, test = page.locator("#e1 .fold"), page.locator("#e6 .fold")
    expect(install).to_have_text("2 lines")
    page.get_by_text("Install", exact=True).click()
    expect(install).to_have_attribute("aria-expanded", "false")
    for seq in (2, 3, 4):
        expect(page.locator(f"#e{seq}")).to_be_hidden()
    expect(page.locator("#e5")).to_be_visible()

    failed = NewEvent(event_type="log", payload={"message": "broken", "level": "error"})
    server.emit("folds", "test a", failed)
    expect(test).to_have_text("2 lines, failed")
    test.click()
    expect(page.locator("#e8")).to_be_hidden()
    server.emit("folds", "test b", "::endgroup::", "after")
    expect(test).to_have_text("3 lines, failed")
    expect(page.locator("#e9")).to_be_hidden()
    expect(page.locator("#e11")).to_be_visible()
    expect_equal_to_fresh(page, context)

    page.keyboard.press("e")
    expect(page.locator("#e8")).to_be_visible()
    expect(test).to_have_attribute("aria-expanded", "true")

    # Parallel spans with markers of their own.
    starts = [event("work_item_start", span, "p", work_item_id=span) for span in ("left", "right")]
    lines = [
        event("log", span, "p", message=text)
        for text in ("::group::Deep", "in", "still in")
        for span in ("left", "right")
    ]
    server.emit("folds", event("phase_enter", "p"), *starts, *lines, event("work_item_failed", "left", "p"))
    expect_live_at(page, 21)
    expect(page.locator("#e12 .fold")).to_have_text("9 rows, failed")
    expect(page.locator("#e13 .fold")).to_have_text("4 rows, failed")
    expect(page.locator("#e14 .fold")).to_have_text("3 rows")
    expect(page.locator("#e15 .fold")).to_have_text("2 lines")
    page.locator("#e14 .fold").click()
    expect(page.locator("#e16, #e18, #e20").locator("visible=true")).to_have_count(0)
    expect(page.locator("#e15, #e17, #e19").locator("visible=true")).to_have_count(3)
    page.get_by_role("button", name="Fold groups").click()
    expect(page.locator("#log-rows > li:visible")).to_have_count(5)
    page.goto(f"{server.url}/tasks/folds/log?around=16#e16")
    expect(page.locator("#e16")).to_be_in_viewport()
    expect(page.locator("#e14 .fold")).to_have_attribute("aria-expanded", "true")
    expect(page.locator("#e2")).to_be_hidden()
    depths = page.locator("#log-rows .said").evaluate_all("all => all.map((one) => getComputedStyle(one).marginLeft)")
    assert len(set(depths)) == 2
    expect_equal_to_response(page)


def test_hostile_markers_hide_nothing_that_cannot_be_shown_again(server: Server, page: Page) -> None:
    nested = [f"::group::{n}" for n in range(60)]
    stray = ["::endgroup::", "travis_fold:end:x", "##[endgroup]", "--- a", "+++ b", "~~~ c", "::group::", "end"]
    server.emit("hostile", *stray, *nested, "travis_fold:start:x", *["::endgroup::"] * 80, "last")
    page.goto(f"{server.url}/tasks/hostile")
    expect_live_at(page, 150)
    page.get_by_role("button", name="Fold groups").click()
    assert page.locator("#log-rows > li:visible").count() < 100
    page.get_by_role("button", name="Fold groups").click()
    expect(page.locator("#log-rows > li:visible")).to_have_count(150)


def test_a_group_that_begins_before_the_page_folds_at_its_end(server: Server, page: Page) -> None:
    server.emit("half", "before", "::group::Long", *[f"line {n}" for n in range(3, 301)], "::endgroup::", "after")
    page.goto(f"{server.url}/tasks/half")
    expect_live_at(page, 302)
    end = page.locator("#e301 .fold")
    expect(end).to_have_text("198 lines")
    end.click()
    expect(page.locator("#log-rows > li:visible")).to_have_count(2)
    page.get_by_role("link", name="Older events").click()
    expect(page.locator("#e2 .fold")).to_have_text("298 lines")
    expect(page.locator("#e1")).to_be_visible()


def test_columns_are_shown_while_their_values_differ(server: Server, page: Page, context: BrowserContext) -> None:
    server.emit("columns", "one", "two")
    page.goto(f"{server.url}/tasks/columns")
    expect_live_at(page, 2)
    expect(page.locator("#e1 .actor")).to_be_hidden()
    expect(page.locator("#e1 .phase")).to_be_hidden()
    server.emit("columns", NewEvent(event_type="log", actor="worker", payload={"message": "three"}))
    expect(page.locator("#e1 .actor")).to_be_visible()
    expect(page.locator("#e1 .phase")).to_be_hidden()
    columns = "() => document.querySelector('.log-columns').className"
    live = page.evaluate(columns)
    page.reload()
    assert page.evaluate(columns) == live
    server.emit("columns", *[NewEvent(event_type="log", actor="worker", payload={"message": "x"})] * 200)
    expect_live_at(page, 203)
    expect(page.locator("#e203 .actor")).to_be_hidden()


def test_a_phone_shows_that_a_text_is_cut_and_opens_it_by_tap(
    server: Server, new_context: Callable[..., BrowserContext]
) -> None:
    server.emit("phone", LONG, TRACE)
    page = new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True).new_page()
    page.goto(f"{server.url}/tasks/phone")
    row = page.locator("#e1")
    expect(row.locator(".turn")).to_have_attribute("aria-expanded", "false")
    assert row.locator(".said").evaluate("said => getComputedStyle(said).webkitLineClamp") == "3"
    expect(page.locator("#e2").get_by_text("+3 lines")).to_be_visible()
    size = row.locator(".turn").bounding_box()
    assert size is not None
    assert min(size["width"], size["height"]) >= 44
    closed = height(row)
    row.locator("code").tap()
    expect(row.locator(".turn")).to_have_attribute("aria-expanded", "true")
    assert height(row) > closed + 100
    assert re.fullmatch(r"\d+", str(page.evaluate("document.documentElement.scrollWidth")))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
