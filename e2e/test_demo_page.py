"""Test that the demo page breaks its own connection and shows that no event is lost."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support.server import Server


@pytest.fixture
def busy_task(server: Server) -> Iterator[str]:
    """Emit five log lines a second to a task during the test."""
    task, finished = f"talk-{threading.get_native_id()}-{id(object())}", threading.Event()
    server.emit(task, "hello")

    def talk() -> None:
        number = 0
        while not finished.wait(0.2):
            number += 1
            server.emit(task, f"event number {number}")

    thread = threading.Thread(target=talk)
    thread.start()
    yield task
    finished.set()
    thread.join()


def figure(page: Page, name: str) -> str:
    return page.locator(f"[data-figure='{name}']").inner_text()


def expect_order(page: Page) -> None:
    """Check that every received seq is shown once, newest first, and that the page reports this itself."""
    ids = page.locator("#demo-rows > tr").evaluate_all("rows => rows.map((row) => Number(row.id.slice(1)))")
    assert ids == list(range(ids[0], ids[0] - len(ids), -1))
    assert "each once and in order" in figure(page, "order")


@pytest.mark.long
def test_a_page_that_was_offline_for_five_seconds_reconnects_and_loses_nothing(
    server: Server, page: Page, busy_task: str
) -> None:
    page.goto(f"{server.url}/demo?task={busy_task}")
    expect(page.locator("#demo-status")).to_contain_text("Connected")
    expect(page.locator("#demo-rows > tr")).not_to_have_count(1)
    page.get_by_role("button", name="Simulate offline (5 s)").click()
    expect(page.locator("#demo-status")).to_contain_text("Reconnecting")
    expect(page.locator("#demo-status")).to_contain_text("Retry in")
    appended = server.emit(busy_task, *["appended while the page is offline"] * 20)
    expect(page.locator("#demo-status")).to_contain_text("Connected")
    expect(page.locator(f"#e{server.latest(busy_task)}")).to_be_attached()
    expect(page.locator("[data-figure='reconnects']")).to_have_text("1")
    place = page.locator("#demo-log").get_by_text("reconnect 1: goes on after #").inner_text()
    assert int(place.rpartition("#")[2]) < appended[0].seq, "events were appended while the page was offline"
    assert figure(page, "gapsDetected") == "0"
    assert int(figure(page, "errors")) > 1, "connections were refused while the page was offline"
    expect_order(page)


def test_three_dropped_events_are_found_and_recovered(server: Server, page: Page, busy_task: str) -> None:
    page.goto(f"{server.url}/demo?task={busy_task}")
    expect(page.locator("#demo-status")).to_contain_text("Connected")
    page.get_by_role("button", name="Drop the next 3 events").click()
    expect(page.locator(".demo-row--recovered")).to_have_count(3)
    expect(page.locator("[data-figure='gapsRecovered']")).not_to_have_text("0")
    assert int(figure(page, "gapsDetected")) >= 1
    assert figure(page, "gapsDetected") == figure(page, "gapsRecovered")
    assert figure(page, "reconnects") == "0"
    log = page.locator("#demo-log")
    expect(log.get_by_text(re.compile("dropped #"))).to_have_count(3)
    expect(log.get_by_text(re.compile("recovered #"))).to_have_count(3)
    expect_order(page)


def test_the_strip_shows_received_events(server: Server, page: Page, busy_task: str) -> None:
    page.goto(f"{server.url}/demo?task={busy_task}")
    expect(page.locator(".demo-bar--came:not([height='0'])").first).to_be_attached()


def test_the_newest_task_is_shown_unless_another_is_chosen(server: Server, page: Page) -> None:
    server.post("/api/tasks", {"task_id": "first", "title": "The first"})
    server.emit("first", "one of the first")
    server.post("/api/tasks", {"task_id": "second", "title": "The second"})
    page.goto(f"{server.url}/demo")
    expect(page.locator("#demo")).to_have_attribute("data-task", "second")
    page.get_by_label("Task").select_option("first")
    page.get_by_role("button", name="Watch").click()
    expect(page).to_have_url(re.compile("task=first"))
    expect(page.locator("#demo-rows")).to_contain_text("one of the first")


def test_without_javascript_the_demo_shows_a_note_and_the_newest_events(server: Server, plain_page: Page) -> None:
    server.emit("plain", *[f"line {number}" for number in range(1, 41)])
    page = plain_page
    page.goto(f"{server.url}/demo?task=plain")
    expect(page.locator(".demo-needs")).to_be_visible()
    expect(page.get_by_role("button", name="Simulate offline (5 s)")).to_be_hidden()
    rows = page.locator("#demo-rows > tr")
    expect(rows).to_have_count(30)
    expect(rows.first).to_contain_text("line 40")


def test_without_tasks_the_demo_says_how_to_start_one(start_server: Callable[..., Server], page: Page) -> None:
    page.goto(f"{start_server().url}/demo")
    expect(page.get_by_text("No tasks yet")).to_be_visible()


def test_an_unknown_task_is_not_found(server: Server) -> None:
    assert server.get("/demo?task=nobody").status_code == 404
