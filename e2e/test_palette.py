"""Test the command palette, which finds commands and pages by a part of their name."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from e2e.axe import add_axe, expect_accessible
from e2e.live_checks import expect_live_at
from e2e.random_run import run
from signalbox.store import NewEvent
from tests.support.server import Server


def open_palette(server: Server, page: Page, task: str) -> None:
    server.post("/api/tasks", {"task_id": task, "title": f"Palette {task}"})
    server.emit(task, *list(run(12, 60))[:30])
    page.goto(f"{server.url}/tasks/{task}")
    expect_live_at(page, 30)
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox")).to_be_focused()


@pytest.mark.parametrize(
    ("typed", "option", "address"),
    [
        ("12", "#12 event", r"/log\?around=12#e12$"),
        ("palette goes", "Palette goes-", r"/tasks/goes-"),
        ("waterf", "Waterfall w", r"/waterfall$"),
        ("planning", "planning phase", r"/log\?phase=planning$"),
    ],
)
def test_the_palette_opens_the_chosen_page(server: Server, page: Page, typed: str, option: str, address: str) -> None:
    open_palette(server, page, f"goes-{len(typed)}")
    page.keyboard.type(typed)
    expect(page.get_by_role("option", selected=True)).to_contain_text(option)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(address))


def test_the_palette_offers_no_phase_that_the_log_does_not_have(server: Server, page: Page) -> None:
    server.emit("bare", "hello", NewEvent(event_type="runner_spawn"))
    page.goto(f"{server.url}/tasks/bare")
    expect(page.locator(".station-name")).to_have_text("run")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("option", selected=True)).to_be_visible()
    expect(page.get_by_role("option", name="phase, in the log")).to_have_count(0)


def test_a_task_in_the_palette_shows_its_state_age_and_id(server: Server, page: Page) -> None:
    open_palette(server, page, "aged")
    page.keyboard.type("palette aged")
    expect(page.get_by_role("option", name="Palette aged")).to_contain_text(
        re.compile(r"running · (now|.* ago) · aged")
    )


def test_arrow_keys_choose_and_escape_closes_the_palette(server: Server, page: Page) -> None:
    open_palette(server, page, "arrows")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option").nth(1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page).to_have_url(re.compile("/tasks/arrows$"))


def test_enter_that_ends_the_input_of_a_word_chooses_nothing(server: Server, page: Page) -> None:
    open_palette(server, page, "composed")
    page.get_by_role("combobox").evaluate(
        "input => input.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', isComposing: true}))"
    )
    expect(page.get_by_role("dialog")).to_be_visible()


def test_axe_finds_no_violation_on_the_palette(server: Server, page: Page) -> None:
    add_axe(page)
    open_palette(server, page, "axe")
    expect_accessible(page)
