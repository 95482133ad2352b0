"""Test accessibility with axe on all pages and in all themes, and with the keyboard, zoom and a phone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, expect

from e2e.live_checks import expect_live_at
from e2e.random_run import run
from signalbox.store import NewEvent
from tests.support.server import Server

CALM = {"reduced_motion": "reduce"}
LOOKS: dict[str, dict[str, Any]] = {
    "light": {**CALM, "color_scheme": "light", "viewport": {"width": 1280, "height": 800}},
    "dark": {**CALM, "color_scheme": "dark", "viewport": {"width": 1280, "height": 800}},
    "phone": {**CALM, "color_scheme": "light", "viewport": {"width": 360, "height": 740}, "is_mobile": True},
}
ZOOMED = {**CALM, "viewport": {"width": 720, "height": 450}, "device_scale_factor": 2}
"""A window of 1440 pixels at 200 %."""

RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
"""The rules that the dark theme could violate."""
VIOLATIONS = """(rules) => axe.run({runOnly: rules, resultTypes: ['violations']}).then((found) =>
  found.violations.flatMap(({id, help, nodes}) =>
    nodes.map((node) => `${id} (${help}): ${node.target} ${node.failureSummary}\\n    ${node.html}`)))"""

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

FILLED = {
    "the task list": "/tasks",
    "two runs compared": "/compare?a=done&b=failed",
    "a run to compare": "/compare?a=done",
    "the task list, filtered": "/tasks?status=failed&q=fail",
    "the task list, nothing found": "/tasks?q=there-is-no-such-task",
    "the task list, sorted and bounded": "/tasks?sort=active&kind=none&created_since=2020-01-01&created_until=1h",
    "chosen tasks": "/selection?do=delete&task=done&task=running&task=gone",
    "chosen tasks, none": "/selection?do=archive",
    "a task that runs": "/tasks/running",
    "a task that waits": "/tasks/waiting",
    "a task that failed": "/tasks/failed",
    "a task that is done": "/tasks/done",
    "a log of all colours": "/tasks/colours",
    "a task as of an event": "/tasks/done?at=40",
    "a checkpoint as of an event": "/tasks/proven/checkpoints/c1?at=1",
    "the waterfall as of an event": "/tasks/done/waterfall?at=40",
    "a log": "/tasks/done/log",
    "a log, searched": "/tasks/done/log?q=line",
    "a log, nothing found": "/tasks/done/log?q=there-is-no-such-line",
    "the spans": "/tasks/done/spans",
    "a span": "/tasks/done/spans/phase-1",
    "the waterfall": "/tasks/done/waterfall",
    "the waterfall of a task that runs": "/tasks/running/waterfall",
    "the timeline": "/tasks/done/timeline",
    "a checkpoint": "/tasks/proven/checkpoints/c1",
    "the permissions": "/permissions",
    "a permission": "/tasks/waiting/permissions/p1",
    "the audits": "/audits",
    "the audits of a task": "/tasks/answered/audits",
    "the demo": "/demo?task=running",
    "an export": "/tasks/done/export.html",
    "no such page": "/there-is-no-such-page",
    "no such task": "/tasks/there-is-no-such-task",
}
EMPTY = {"the task list": "/tasks", "the permissions": "/permissions", "the audits": "/audits", "the demo": "/demo"}


class Site(NamedTuple):
    """A server with runs in every state, and an empty one."""

    filled: Server
    empty: Server


def event(event_type: str, **payload: Any) -> NewEvent:
    named = {name: payload.pop(name) for name in ("actor", "phase", "span_id", "parent_span_id") if name in payload}
    return NewEvent(event_type=event_type, payload=payload, **named)


def permission_request(request_id: str) -> NewEvent:
    evidence = {"artifacts": ["report.json"], "commit": "0123abc"}
    return event(
        "permission_request",
        request_id=request_id,
        tool_name="rm",
        reason="they are old",
        arguments={"path": "/data/" + "x" * 200},
        evidence_refs=evidence,
    )


@pytest.fixture(scope="module")
def site(shared_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    events = list(run(3, 60))
    shared_server.emit("done", *events)
    shared_server.emit("failed", *events[:40], event("runner_exit", span_id="main", exit_code=1, error_code="broken"))
    shared_server.emit("running", *events[:36])
    shared_server.emit("waiting", *events[:20], permission_request("p1"))
    shared_server.emit("answered", "started", permission_request("p1"))
    texts, grounds = (*range(30, 38), *range(90, 98)), (*range(40, 48), *range(100, 108))
    shared_server.emit(
        "colours",
        *("".join(f"\x1b[{text};{ground}m {text} " for text in texts) for ground in grounds),
        "".join(f"\x1b[0;{text}m {text} \x1b[2m dim \x1b[7m reversed " for text in texts),
        "\x1b[8mconcealed\x1b[0m \x1b[7mreversed\x1b[0m \x1b]8;;https://example.org/\x07a link\x1b]8;;\x07 amid text",
        "first\nsecond\nthird",
        event("runner_heartbeat"),
    )
    proof = event("evidence_linked", checkpoint_id="c1", evidence_id="report", message="x" * 200)
    shared_server.emit(
        "proven", event("checkpoint_commit", checkpoint_id="c1", evidence_refs={"artifacts": ["a.json"]}), proof
    )
    answer = {"decision": "approve", "reason": "yes"}
    assert shared_server.post("/tasks/answered/permissions/p1", data=answer).is_redirect
    empty = Server(tmp_path_factory.mktemp("empty")).start()
    yield Site(shared_server, empty)
    empty.close()


@pytest.fixture(scope="module", params=LOOKS)
def themed_page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """Return one page per theme, shared by all tests, because opening a page takes longer than a check."""
    context = browser.new_context(**LOOKS[request.param])
    context.add_init_script(AXE_SCRIPT)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def zoomed(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(**ZOOMED)
    yield context.new_page()
    context.close()


def expect_accessible(page: Page) -> None:
    """Check that axe finds no violation on the page, and that the page does not scroll sideways."""
    dark = page.evaluate("() => matchMedia('(prefers-color-scheme: dark)').matches")
    violations = page.evaluate(VIOLATIONS, COLOURS if dark else RULES)
    assert not violations, "\n".join(violations)
    expect_no_sideways_scroll(page)


def expect_no_sideways_scroll(page: Page) -> None:
    wide, window = page.evaluate("() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide <= window, f"the page is {wide} px wide in a window of {window} px"


@pytest.mark.parametrize("name", FILLED)
def test_axe_finds_no_violation(site: Site, themed_page: Page, name: str) -> None:
    themed_page.goto(site.filled.url + FILLED[name])
    expect_accessible(themed_page)


@pytest.mark.parametrize("name", EMPTY)
def test_axe_finds_no_violation_on_empty_pages(site: Site, themed_page: Page, name: str) -> None:
    themed_page.goto(site.empty.url + EMPTY[name])
    expect_accessible(themed_page)


def test_axe_finds_no_violation_on_the_help_sheet(site: Site, themed_page: Page) -> None:
    themed_page.goto(f"{site.filled.url}/tasks/done")
    themed_page.keyboard.press("?")
    expect(themed_page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    expect_accessible(themed_page)


def test_axe_finds_no_violation_on_an_open_drawer(site: Site, themed_page: Page) -> None:
    themed_page.goto(f"{site.filled.url}/tasks/proven#checkpoint-c1")
    expect(themed_page.get_by_role("dialog")).to_be_visible()
    expect_accessible(themed_page)


@pytest.mark.parametrize("name", FILLED)
def test_no_page_scrolls_sideways_at_200_percent(site: Site, zoomed: Page, name: str) -> None:
    zoomed.goto(site.filled.url + FILLED[name])
    expect_no_sideways_scroll(zoomed)


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
