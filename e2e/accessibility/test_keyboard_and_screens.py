"""Test the keyboard, the focus, sheets, wide names and forced colours, and that axe finds faults."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from e2e.accessibility.site import Site
from e2e.axe import THEMES, add_axe, expect_accessible, expect_no_sideways_scroll
from e2e.live_checks import expect_live_at
from e2e.random_run import run
from e2e.visitor import Visitor
from signalbox.store import NewEvent
from tests.support.people import project
from tests.support.server import Server

FOCUS = """() => {
  const look = (element) => {
    const {outlineStyle, outlineWidth, boxShadow, borderColor, backgroundColor} = getComputedStyle(element);
    return JSON.stringify([outlineStyle === 'none' ? '' : outlineWidth, boxShadow, borderColor, backgroundColor]);
  };
  const element = document.activeElement;
  if (element === document.body) return null;
  const focused = look(element);
  element.blur();
  const seen = focused !== look(element);
  element.focus({focusVisible: true, preventScroll: true});
  return [element.outerHTML.slice(0, 200), seen];
}"""
"""Returns the focused element and whether its focus is visible, or null if no element has the focus."""


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ("<p>a line <a href='/'></a></p>", "link-name"),
        ("<p style='color: #ccc'>a line <a href='/'>link</a></p>", "color-contrast"),
        ("<p id='line-1'>a line <a href='/'>link</a></p>", "the id line-1 is not unique"),
    ],
)
def test_a_fault_among_many_equal_rows_is_found(page: Page, fault: str, rule: str) -> None:
    add_axe(page)
    rows = "".join(f"<p id='line-{n}'>line {n} <a href='/{n}'>link</a></p>" for n in range(20))
    page.goto("about:blank")
    page.set_content(f"<!doctype html><html lang='en'><title>a</title><main><h1>a</h1>{rows}{fault}</main>")
    with pytest.raises(AssertionError, match=rule):
        expect_accessible(page)


@pytest.mark.long
@pytest.mark.parametrize("look", THEMES)
def test_the_help_sheet_is_accessible(site: Site, visitor: Visitor, look: str) -> None:
    page = visitor.load(f"{site.filled.url}/tasks/done", look)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    expect_accessible(page)


@pytest.mark.parametrize("look", THEMES)
def test_an_open_drawer_is_accessible(site: Site, visitor: Visitor, look: str) -> None:
    page = visitor.load(f"{site.filled.url}/tasks/proven#checkpoint-c1", look)
    expect(page.get_by_role("dialog")).to_be_visible()
    expect_accessible(page)


def test_the_skip_link_comes_first_and_jumps_to_the_content(site: Site, page: Page) -> None:
    page.goto(f"{site.filled.url}/tasks")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.closest('main') !== null")


@pytest.mark.parametrize("path", ["/tasks", "/tasks/waiting", "/tasks/done/waterfall", "/permissions", "/demo"])
def test_every_focused_element_shows_its_focus(site: Site, page: Page, path: str) -> None:
    page.goto(site.filled.url + path)
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        if (focused := page.evaluate(FOCUS)) is None:
            break
        reached.append(focused)
    assert len(reached) > 5
    assert not [element for element, seen in reached if not seen]


@pytest.mark.parametrize("link", ["#span-main a", "#e2 a", "#track"])
def test_focus_survives_live_updates(site: Site, page: Page, link: str) -> None:
    task = f"focus{link}".replace("#", "-").replace(" ", "-")
    site.filled.emit(task, *list(run(4, 60))[:20])
    page.goto(f"{site.filled.url}/tasks/{task}")
    expect_live_at(page, 20)
    focused = page.locator(link).first
    focused.focus()
    site.filled.emit(task, *list(run(4, 60))[20:40])
    expect_live_at(page, 40)
    expect(focused).to_be_focused()


@pytest.mark.long
def test_names_without_spaces_widen_no_page(server: Server, new_context: Callable[..., BrowserContext]) -> None:
    name = "W" * 120
    project(server.store, "p" * 60)
    for task_id in ("a", "b"):
        server.store.create_task(task_id, title=name, kind=name, metadata={"tags": {"tag": name}})
        request = {"request_id": "r1", "tool_name": name, "reason": name, "arguments": {name: name}}
        server.emit(
            task_id,
            NewEvent(event_type="runner_spawn"),
            NewEvent(event_type="phase_enter", span_id="p", phase=name),
            NewEvent(event_type="work_item_start", span_id="w", phase=name, payload={"work_item_id": name}),
            NewEvent(event_type="work_item_failed", span_id="w", payload={"work_item_id": name, "message": name}),
            NewEvent(event_type="checkpoint_commit", payload={"checkpoint_id": name, "checkpoint_type": name}),
            NewEvent(event_type="permission_request", payload=request),
        )
    own = ["", "?at=4", "/log?after=0", "/events/3", "/spans", "/spans/w", "/waterfall?show=w", "/flame", "/timeline"]
    others = ["/tasks", "/permissions", "/kinds", f"/kinds/{name}", "/compare?a=a&b=b", "/compare?a=a", "/audits"]
    page = new_context(viewport={"width": 390, "height": 800}).new_page()
    for path in [*(f"/tasks/a{one}" for one in [*own, f"/checkpoints/{name}"]), *others]:
        page.goto(f"{server.url}{path}")
        expect_no_sideways_scroll(page)
    wide = new_context(viewport={"width": 1280, "height": 800}).new_page()
    wide.goto(f"{server.url}/tasks")
    assert wide.locator(".task-title").first.bounding_box()["width"] > 200, "a long kind leaves space for titles"  # type: ignore[index]


def test_forced_colours_show_which_link_is_current(site: Site, new_context: Callable[..., BrowserContext]) -> None:
    page = new_context(forced_colors="active").new_page()
    page.goto(f"{site.filled.url}/permissions")
    underline = "node => getComputedStyle(node).borderBlockEndColor"
    for links in (".nav a", ".tabs a"):
        current, others = page.locator(f"{links}[aria-current]"), page.locator(f"{links}:not([aria-current])")
        assert current.first.evaluate(underline) != others.first.evaluate(underline), links
