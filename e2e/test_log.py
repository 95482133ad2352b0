"""Test navigation in a log, with and without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from e2e.live_checks import expect_live_at, expect_rows, expect_same_content
from signalbox.store import NewEvent
from tests.support.server import Server
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def long_log(shared_server: Server) -> str:
    """Create a task with 1,000 events, of which #300 and #600 are failures."""
    lines = [NewEvent(event_type="log", payload={"message": f"line {n}"}) for n in range(1, 1001)]
    lines[299] = NewEvent(event_type="work_item_failed", payload={"work_item_id": "copy", "message": "disk full"})
    lines[599] = NewEvent(event_type="log", payload={"message": "it broke", "level": "error"})
    shared_server.emit("long", *lines)
    return f"{shared_server.url}/tasks/long"


def expect_target_row(page: Page, seq: int) -> None:
    row = page.locator(f"#e{seq}")
    expect(row).to_be_in_viewport()
    assert row.evaluate("row => row.matches(':target')")


def test_the_address_of_an_old_line_shows_that_line(long_log: str, page: Page) -> None:
    page.goto(f"{long_log}#e40")
    expect_target_row(page, 40)
    expect(page.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "false")


@pytest.mark.long
def test_new_events_do_not_move_a_reader_in_the_middle_of_the_log(
    server: Server, page: Page, context: BrowserContext
) -> None:
    server.emit("amid", *[f"line {n}" for n in range(1, 601)])
    page.goto(f"{server.url}/tasks/amid#e100")
    expect_target_row(page, 100)
    expect_live_at(page, 600)
    place = page.locator("#e100").bounding_box()
    server.emit("amid", *[f"line {n}" for n in range(601, 611)])
    expect(page.get_by_role("button", name="10 new")).to_be_visible()
    assert page.locator("#e100").bounding_box() == place
    expect(page.get_by_role("link", name="Newer events")).to_have_attribute("href", re.compile(r"after=200&"))

    page.get_by_role("button", name="10 new").click()
    expect(page.locator("#e610")).to_be_in_viewport()
    expect_rows(page, 411, 610)
    server.emit("amid", "one more")
    expect_live_at(page, 611)
    expect_rows(page, 412, 611)
    fresh = context.new_page()
    fresh.goto(f"{server.url}/tasks/amid")
    expect_same_content(page, fresh)


def test_a_line_that_is_already_shown_is_not_fetched(long_log: str, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{long_log}#e950")
    expect_target_row(page, 950)
    assert not [url for url in asked if "around=" in url]


def test_an_address_beyond_the_log_shows_the_end_of_the_log(long_log: str, page: Page) -> None:
    page.goto(f"{long_log}#e99999")
    expect_live_at(page, 1000)
    expect(page.locator("#e1000")).to_be_attached()


@pytest.mark.long
def test_the_key_e_jumps_from_failure_to_failure(long_log: str, page: Page) -> None:
    page.goto(long_log)
    expect_live_at(page, 1000)
    page.keyboard.press("e")
    expect(page).to_have_url(f"{long_log}#e300")
    expect_target_row(page, 300)
    page.keyboard.press("e")
    expect(page).to_have_url(f"{long_log}#e600")
    expect_target_row(page, 600)
    page.keyboard.press("e")
    expect(page.get_by_text("No failure after #600.")).to_be_visible()


@pytest.mark.long
def test_the_back_button_returns_to_the_previous_line(long_log: str, page: Page) -> None:
    page.goto(long_log)
    expect_live_at(page, 1000)
    page.keyboard.press("e")
    expect_target_row(page, 300)
    page.keyboard.press("e")
    expect_target_row(page, 600)
    page.go_back()
    expect_target_row(page, 300)


def test_a_search_hit_links_to_the_line_in_its_context(long_log: str, page: Page) -> None:
    page.goto(long_log)
    expect_live_at(page, 1000)
    page.keyboard.press("/")
    expect(page.get_by_label("Find text in the whole log")).to_be_focused()
    page.keyboard.type("DISK full")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 of 1,000 events")).to_be_visible()
    wait_until(lambda: page.evaluate("[...CSS.highlights.get('found') ?? []].join()") == "disk full")
    page.get_by_role("link", name="#300").click()
    expect_target_row(page, 300)
    expect(page.locator("#e299")).to_be_attached()


@pytest.mark.long
def test_search_and_filters_work_without_scripts(long_log: str, plain_page: Page) -> None:
    plain_page.goto(long_log)
    plain_page.get_by_label("Find text in the whole log").fill("line 77")
    plain_page.keyboard.press("Enter")
    expect(plain_page.get_by_text("11 of 1,000 events")).to_be_visible()
    expect(plain_page.locator("#log-rows > li")).to_have_count(11)

    plain_page.get_by_text("Filters").click()
    plain_page.get_by_label("Level").fill("error")
    plain_page.get_by_label("Find text in the log").fill("")
    plain_page.get_by_role("button", name="Search").click()
    expect(plain_page.get_by_text("1 of 1,000 events")).to_be_visible()
    expect(plain_page.get_by_label("Level")).to_have_value("error")
    plain_page.get_by_role("link", name="#600").click()
    expect_target_row(plain_page, 600)


@pytest.mark.long
def test_jumps_work_without_scripts(long_log: str, plain_page: Page) -> None:
    plain_page.goto(long_log)
    plain_page.get_by_role("link", name="Next failure").click()
    expect_target_row(plain_page, 300)
    plain_page.get_by_role("link", name="Next failure").click()
    expect_target_row(plain_page, 600)

    plain_page.goto(long_log)
    plain_page.get_by_text("More", exact=True).click()
    plain_page.get_by_label("Go to #").fill("40")
    plain_page.get_by_label("Go to #").press("Enter")
    expect(plain_page.locator("#e40")).to_be_attached()

    plain_page.goto(long_log)
    plain_page.get_by_text("More", exact=True).click()
    plain_page.get_by_label("At", exact=True).press("Enter")
    expect_target_row(plain_page, 1)


def test_a_long_line_expands_in_place(server: Server, page: Page) -> None:
    server.emit("wide", "word " * 400, "short")
    page.goto(f"{server.url}/tasks/wide")
    message = page.locator("#e1 .said")
    clipped = message.bounding_box()
    page.locator("#e1 a.seq").click()
    expect(page).to_have_url(f"{server.url}/tasks/wide#e1")
    opened = message.bounding_box()
    assert clipped
    assert opened
    assert opened["height"] > 5 * clipped["height"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.long
@pytest.mark.parametrize("width", [390, 1100, 1440])
def test_the_log_tools_fit_every_width(long_log: str, new_context: Callable[..., BrowserContext], width: int) -> None:
    page = new_context(viewport={"width": width, "height": 900}).new_page()
    for path in (long_log, f"{long_log}/log", f"{long_log}/log?q=line&level=x"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


@pytest.mark.long
def test_the_exported_html_file_works_offline(
    long_log: str, page: Page, context: BrowserContext, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("export") / "long.html"
    file.write_bytes(context.request.get(f"{long_log}/export.html").body())
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"file://{file}#e300")
    expect_target_row(page, 300)
    assert page.locator("#e300").evaluate("row => getComputedStyle(row).display") == "grid"
    assert len(asked) == 1, asked


def test_rows_that_arrive_while_a_window_fails_to_load_are_shown(
    server: Server, page: Page, expect_console: list[str]
) -> None:
    expect_console.append("503")
    server.emit("vain", *[f"line {n}" for n in range(1, 301)])
    page.goto(f"{server.url}/tasks/vain")
    expect_live_at(page, 300)

    def fail_later(route: Route) -> None:
        server.emit("vain", *[f"line {n}" for n in range(301, 306)])
        expect_live_at(page, 305)
        route.fulfill(status=503)

    page.route("**/tasks/vain/log?*around=5", fail_later, times=1)
    with page.expect_response("**/tasks/vain/log?*around=5"):
        page.evaluate("() => { location.hash = 'e5'; }")
    expect(page.locator("#e305")).to_be_attached()
    server.emit("vain", "line 306")
    expect_live_at(page, 306)
    assert page.locator("#log-rows > li").evaluate_all("rows => rows.map((row) => row.id)") == [
        f"e{n}" for n in range(101, 307)
    ]
