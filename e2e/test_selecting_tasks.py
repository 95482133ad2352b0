"""Test selecting tasks in the list, live, with and without JavaScript."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from e2e.live_checks import expect_equal_to_response, expect_live_at, task_names
from signalbox.store import NewEvent
from tests.support.server import Server

ENDED = NewEvent(event_type="runner_exit", payload={"exit_code": 0})


def selected_tasks(page: Page) -> list[str]:
    return page.locator("tbody tr:has(:checked) th a").all_inner_texts()


@pytest.mark.long
def test_a_selection_survives_live_updates_and_a_confirmed_action_is_done(
    start_server: Callable[..., Server], page: Page
) -> None:
    server = start_server()
    for number in range(6):
        server.emit(f"t{number}", ENDED)
    page.goto(f"{server.url}/tasks")
    bar = page.get_by_role("button", name="Delete…")
    expect(bar).to_be_hidden()
    page.get_by_role("checkbox", name="Select t4").check()
    page.get_by_role("checkbox", name="Select t2").click(modifiers=["Shift"])
    expect(page.get_by_text("3 selected")).to_be_visible()
    assert selected_tasks(page) == ["t4", "t3", "t2"]
    expect(page.get_by_role("button", name="Compare")).to_be_disabled()

    server.emit("t3", "a row changes")
    (newest,) = server.emit("new", "the whole list changes")
    expect_live_at(page, newest.event_id)
    assert task_names(page)[0] == "new"
    assert selected_tasks(page) == ["t4", "t3", "t2"]
    expect(page.get_by_text("3 selected")).to_be_visible()
    expect_equal_to_response(page)

    page.get_by_role("checkbox", name="Select all tasks on this page").check()
    expect(page.get_by_text("7 selected")).to_be_visible()
    page.get_by_role("checkbox", name="Select t0").uncheck()
    bar.click()
    expect(page.get_by_role("heading", name="Delete 5 tasks?")).to_be_visible()
    expect(page.get_by_role("region", name="Tasks that cannot be changed")).to_contain_text("the run is running")
    page.get_by_role("button", name="Delete 5 tasks").click()
    expect(page.locator("tbody th a")).to_have_count(2)
    assert task_names(page) == ["new", "t0"]


def test_an_action_of_another_person_appears_on_an_open_page(start_server: Callable[..., Server], page: Page) -> None:
    server = start_server()
    for name in ("a", "b"):
        server.emit(name, ENDED)
    page.goto(f"{server.url}/tasks")
    expect(page.get_by_role("link", name="a", exact=True)).to_be_visible()
    server.post("/api/tasks/a/archive")
    expect(page.get_by_role("link", name="a", exact=True)).to_have_count(0)
    expect(page.get_by_role("link", name="archived 1")).to_be_visible()
    server.post("/views", data={"name": "Mine", "filters": "kind=build"})
    expect(page.get_by_role("link", name="Mine", exact=True)).to_be_visible()
    expect_equal_to_response(page)


def test_a_change_without_an_event_appears_on_an_open_page(start_server: Callable[..., Server], page: Page) -> None:
    server = start_server()
    (event,) = server.emit("a", "hello")
    page.goto(f"{server.url}/tasks")
    expect_live_at(page, event.event_id)
    server.store.people.add_project("web", "The web site")
    expect(page.get_by_role("navigation", name="Project")).to_be_visible()
    expect_equal_to_response(page)
    # A change of the projects has a position of its own, so that open lists learn of it.
    expect_live_at(page, event.event_id + 1)


@pytest.mark.long
def test_tasks_are_archived_and_restored_without_javascript(
    start_server: Callable[..., Server], plain_page: Page
) -> None:
    server, page = start_server(), plain_page
    for name in ("a", "b", "c"):
        server.emit(name, ENDED)
    page.goto(f"{server.url}/tasks?sort=oldest")
    for name in ("a", "c"):
        page.get_by_role("checkbox", name=f"Select {name}", exact=True).check()
    page.get_by_role("button", name="Archive").click()
    expect(page.get_by_text("2 tasks archived.")).to_be_visible()
    assert task_names(page) == ["b"]
    page.get_by_role("button", name="Undo").click()
    assert page.url == f"{server.url}/tasks?sort=oldest"
    assert task_names(page) == ["a", "b", "c"]
    for name in ("a", "c"):
        page.get_by_role("checkbox", name=f"Select {name}", exact=True).check()
    page.get_by_role("button", name="Archive").click()
    page.get_by_role("link", name="archived 2").click()
    assert task_names(page) == ["a", "c"]
    page.get_by_role("checkbox", name="Select a", exact=True).check()
    page.get_by_role("button", name="Restore").click()
    page.get_by_role("link", name="All tasks", exact=True).click()
    assert task_names(page) == ["b", "a"]


@pytest.mark.long
def test_a_view_is_saved_and_deleted_without_javascript(server: Server, plain_page: Page) -> None:
    page = plain_page
    page.goto(f"{server.url}/tasks?status=failed&sort=active")
    page.get_by_text("Saved views").click()
    page.get_by_label("Save this view as").fill("Broken lately")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("link", name="Broken lately")).to_have_attribute("aria-current", "page")
    page.get_by_role("link", name="All tasks", exact=True).click()
    page.get_by_role("link", name="Broken lately").click()
    assert page.url == f"{server.url}/tasks?status=failed&sort=active"
    page.get_by_text("Saved views").click()
    page.get_by_role("button", name="Delete the view Broken lately").click()
    expect(page.get_by_role("link", name="Broken lately")).to_have_count(0)
