"""Test that the task list is live on one stream, and always equals a freshly loaded one."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from e2e.live_checks import expect_equal_to_fresh, expect_equal_to_response, expect_live_at, statistics, task_names
from e2e.random_run import run
from signalbox.store import NewEvent
from tests.support.proxy import Proxy
from tests.support.server import Server
from tests.support.waiting import wait_until


def expect_live_at_newest(page: Page, server: Server) -> None:
    """Wait until the list is live at the newest event of all tasks."""
    (last,) = server.emit("last", "so far")
    expect_live_at(page, last.event_id)


@pytest.mark.long
def test_tasks_appear_and_change_live(start_server: Callable[..., Server], page: Page, context: BrowserContext) -> None:
    server = start_server()
    page.goto(f"{server.url}/tasks")
    expect(page.get_by_text("No runs yet")).to_be_visible()
    server.post("/api/tasks", {"task_id": "first", "title": "The first"})
    task = page.locator("tr", has=page.get_by_role("link", name="The first"))
    expect(task).to_contain_text("queued")
    expect(page.get_by_text("No runs yet")).to_be_hidden()
    request = {"request_id": "r1", "tool_name": "rm", "arguments": {}}
    for event, label in (
        (NewEvent(event_type="runner_spawn", payload={"runner_pid": 1}), "running"),
        (NewEvent(event_type="phase_enter", phase="planning"), "planning"),
        (NewEvent(event_type="progress_update", payload={"progress": {"current": 3, "total": 4}}), "75 %"),
        (NewEvent(event_type="permission_request", payload=request), "waiting"),
        (NewEvent(event_type="permission_response", payload={"request_id": "r1", "approved": True}), "running"),
        (NewEvent(event_type="runner_exit", payload={"exit_code": 1}), "failed"),
    ):
        server.emit("first", event)
        expect(task).to_contain_text(label)
        expect_equal_to_fresh(page, context)
    server.emit("second", "hello")
    expect(page.get_by_role("link", name="second")).to_be_visible()
    assert task_names(page) == ["second", "The first"]
    expect_equal_to_fresh(page, context)


def test_a_deleted_task_leaves_the_list(
    start_server: Callable[..., Server], page: Page, context: BrowserContext
) -> None:
    server = start_server()
    server.emit("one", "hello")
    server.emit("two", "hello")
    page.goto(f"{server.url}/tasks")
    expect(page.get_by_role("link", name="one")).to_be_visible()
    server.store.delete_task("one")
    expect(page.get_by_role("link", name="one")).to_have_count(0)
    expect_equal_to_fresh(page, context)


@pytest.mark.long
def test_filters_stay_correct_under_live_changes(
    start_server: Callable[..., Server], page: Page, context: BrowserContext
) -> None:
    server = start_server()
    for number in range(6):
        server.post("/api/tasks", {"task_id": f"t{number}", "kind": ["build", "audit"][number % 2]})
        server.emit(f"t{number}", NewEvent(event_type="runner_spawn"))
    pages = {path: context.new_page() for path in ("?status=running", "?kind=audit", "?q=t3", "?status=failed&q=t")}
    for path, filtered in pages.items():
        filtered.goto(f"{server.url}/tasks{path}")
        expect(filtered.locator("live-status")).to_contain_text("Live ·")
    server.emit("t3", NewEvent(event_type="runner_exit", payload={"exit_code": 1}))
    server.emit("t4", NewEvent(event_type="runner_exit", payload={"exit_code": 0}))
    server.post("/api/tasks", {"task_id": "t30", "kind": "audit"})
    expected = {
        "?status=running": ["last", "t5", "t2", "t1", "t0"],
        "?kind=audit": ["t30", "t5", "t3", "t1"],
        "?q=t3": ["t30", "t3"],
        "?status=failed&q=t": ["t3"],
    }
    for path, filtered in pages.items():
        expect_live_at_newest(filtered, server)
        assert task_names(filtered) == expected[path], path
        expect_equal_to_fresh(filtered, context)


@pytest.mark.long
def test_every_order_stays_correct_under_live_changes(
    start_server: Callable[..., Server], page: Page, context: BrowserContext
) -> None:
    server = start_server()
    for number in range(55):
        server.emit(f"t{number:02}", NewEvent(event_type="runner_spawn"))
    pages = {sort: context.new_page() for sort in ("newest", "oldest", "active", "longest")}
    for sort, sorted_page in pages.items():
        sorted_page.goto(f"{server.url}/tasks?sort={sort}")
    pages["next"] = context.new_page()
    pages["next"].goto(f"{server.url}/tasks?sort=active")
    pages["next"].get_by_role("link", name="Next", exact=True).click()
    pages["next"].wait_for_url(re.compile("cursor="))
    for task in ("t03", "t40", "t07"):
        server.emit(task, "busy", NewEvent(event_type="runner_exit", payload={"exit_code": 0}))
    server.emit("t56", NewEvent(event_type="runner_spawn"))
    for sort, sorted_page in pages.items():
        expect_live_at_newest(sorted_page, server)
        expect_equal_to_fresh(sorted_page, context)
        assert (sort == "longest") == (len(task_names(sorted_page)) == 3)
    assert task_names(pages["oldest"])[:2] == ["t00", "t01"]
    assert task_names(pages["newest"])[:2] == ["last", "t56"]
    assert set(task_names(pages["active"])[:5]) >= {"last"}


def test_a_silent_run_is_marked_stale_on_an_open_page(
    start_server: Callable[..., Server], page: Page, context: BrowserContext
) -> None:
    server = start_server(stale_after=0.5, heartbeat_timeout=60)
    server.emit("silent", NewEvent(event_type="runner_spawn"))
    page.goto(f"{server.url}/tasks")
    row = page.locator("tr", has=page.get_by_role("link", name="silent", exact=True))
    expect(row).to_contain_text("stale")
    page.get_by_role("link", name="stale 1").click()
    page.wait_for_url(re.compile("stale=1"))
    expect_equal_to_fresh(page, context)
    server.emit("silent", NewEvent(event_type="runner_exit"))
    expect(page.get_by_text("No tasks match")).to_be_visible()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2))
def test_a_list_of_many_busy_tasks_equals_a_fresh_one(
    start_server: Callable[..., Server], page: Page, context: BrowserContext, seed: int
) -> None:
    server, rng = start_server(), random.Random(seed)
    runs = {f"run-{number}": list(run(number, 40)) for number in range(70)}
    for task in list(runs)[:30]:
        server.emit(task, *runs[task][:10])
    page.goto(f"{server.url}/tasks")
    at = dict.fromkeys(runs, 0) | dict.fromkeys(list(runs)[:30], 10)
    for _ in range(4):
        for _ in range(60):
            task = rng.choice(list(runs))
            batch = runs[task][at[task] : at[task] + rng.randint(1, 8)]
            at[task] += len(batch)
            if batch:
                server.emit(task, *batch)
        expect_live_at_newest(page, server)
        expect_equal_to_fresh(page, context)
    older = context.new_page()
    older.goto(f"{server.url}/tasks")
    older.get_by_role("link", name="Older", exact=True).click()
    older.wait_for_url(re.compile("cursor="))
    for task in runs:
        server.emit(task, "one more")
    expect_live_at_newest(older, server)
    expect_equal_to_fresh(older, context)
    wait_until(lambda: server.get("/sse/health").json()["streams"] == 2)


@pytest.mark.long
def test_a_list_over_a_broken_network_equals_a_fresh_one(
    start_server: Callable[..., Server], page: Page, context: BrowserContext, expect_console: list[str]
) -> None:
    expect_console.append(r"Failed to load resource|net::ERR_|Failed to fetch|network error|a frame was lost")
    server = start_server()
    for number in range(5):
        server.emit(f"t{number}", "hello")
    proxy = Proxy(server.port)
    try:
        page.goto(f"{proxy.url}/tasks")
        expect_live_at_newest(page, server)
        proxy.shut()
        expect(page.locator("live-status")).to_contain_text("Stale since")
        server.emit("t1", NewEvent(event_type="runner_spawn"), NewEvent(event_type="runner_exit"))
        server.emit("t9", "new")
        proxy.heal()
        expect_live_at_newest(page, server)
        # A fresh page would open another stream, on which the frame could be lost instead.
        expect_equal_to_response(page)

        lost = proxy.drop_next_write(b"hx-frame")
        server.emit("t2", NewEvent(event_type="runner_spawn"))
        assert lost.wait(30)
        expect_live_at_newest(page, server)
        expect_equal_to_fresh(page, context)
        assert statistics(page)["Gaps found"] == statistics(page)["Gaps recovered"] == 1
    finally:
        proxy.close()


def test_a_list_reloads_when_the_database_was_replaced(
    start_server: Callable[..., Server], page: Page, context: BrowserContext, expect_console: list[str]
) -> None:
    expect_console.append(r"Failed to load resource|net::ERR_|Failed to fetch|network error")
    server = start_server()
    server.emit("old", "hello")
    page.goto(f"{server.url}/tasks")
    expect(page.get_by_role("link", name="old")).to_be_visible()
    expect(page.locator("live-status")).to_contain_text("Live ·")
    server.replace_database()
    server.emit("new", *["hello"] * 50)
    server.start()
    expect(page.get_by_role("link", name="new")).to_be_visible()
    expect(page.get_by_role("link", name="old")).to_have_count(0)
    expect_equal_to_fresh(page, context)
