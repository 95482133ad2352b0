"""Test accessibility with axe on all pages and in all themes, and with the keyboard, zoom and a phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from e2e.axe import THEMES, add_axe, expect_accessible, expect_no_sideways_scroll
from e2e.live_checks import expect_live_at
from e2e.random_run import run
from e2e.visitor import SCREENS, Visitor
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

FILLED = {
    "the task list": "/tasks",
    "two runs compared": "/compare?a=done&b=failed",
    "a run to compare": "/compare?a=done",
    "two runs to watch": "/watch?task=done&task=failed",
    "the task list, filtered": "/tasks?status=failed&q=fail",
    "the task list, nothing found": "/tasks?q=there-is-no-such-task",
    "the task list, sorted and bounded": "/tasks?sort=active&kind=none&created_since=2020-01-01&created_until=1h",
    "selected tasks": "/selection?do=delete&task=done&task=running&task=gone",
    "selected tasks, none": "/selection?do=archive",
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
    "a payload as JSON": "/tasks/payloads/events/1/payload?view=json&q=line",
    "a payload as Markdown": "/tasks/payloads/events/1/payload?view=markdown",
    "a payload as text": "/tasks/payloads/events/1/payload?view=text",
    "the permissions": "/permissions",
    "the answered permissions": "/permissions?show=answered",
    "a permission": "/tasks/waiting/permissions/p1",
    "a task that asks for values": "/tasks/asking",
    "the audit log": "/audits",
    "the audit log of a task": "/tasks/answered/audits",
    "the audit log, filtered": "/audits?person=nobody",
    "the help": "/help",
    "the accounts": "/admin/accounts",
    "the projects": "/admin/projects",
    "a project": "/admin/projects/default",
    "the settings": "/admin/settings",
    "the health": "/admin/health",
    "the demo": "/demo?task=running",
    "an export": "/tasks/done/export.html",
    "no such page": "/there-is-no-such-page",
    "no such task": "/tasks/there-is-no-such-task",
}
EMPTY = {"the task list": "/tasks", "the permissions": "/permissions", "the audit log": "/audits", "the demo": "/demo"}


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


def ask_for_values(server: Server) -> None:
    """Emit a run with a form of each kind, a message to it, a tool that is always allowed, and changed arguments."""
    schema = {
        "required": ["text", "seats"],
        "properties": {
            "text": {"type": "string", "maxLength": 2000, "description": "Some words."},
            "seats": {"type": "integer"},
            "yes": {"type": "boolean", "title": "Yes or no"},
            "many": {"enum": list(range(10))},
            "group": {"type": "object", "properties": {"lines": {"type": "array", "items": {"type": "string"}}}},
        },
    }
    asked: list[dict[str, Any]] = [
        {"arguments": {"branch": "fix/ack", "force": True}, "editable": True},
        {"choices": ["staging", "production"]},
        {"response_schema": schema},
    ]
    requests = [event("permission_request", request_id=f"p{n}", tool_name="push", **one) for n, one in enumerate(asked)]
    server.emit("asking", event("runner_spawn"), *requests)
    answer = {"decision": "approve", "form": "1", "value/branch": "main", "always": "1"}
    assert server.post("/tasks/asking/permissions/p0", data=answer).is_redirect
    assert server.post("/tasks/asking/messages", data={"text": "Use the staging database."}).is_redirect


@pytest.fixture(scope="module")
def site(shared_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    events = list(run(3, 60))
    shared_server.emit("done", *events)
    shared_server.emit("failed", *events[:40], event("runner_exit", span_id="main", exit_code=1, error_code="broken"))
    shared_server.emit("running", *events[:36])
    shared_server.emit("waiting", *events[:20], permission_request("p1"))
    shared_server.emit("answered", "started", permission_request("p1"))
    ask_for_values(shared_server)
    texts, grounds = (*range(30, 38), *range(90, 98)), (*range(40, 48), *range(100, 108))
    shared_server.emit(
        "colours",
        *("".join(f"\x1b[{text};{ground}m {text} " for text in texts) for ground in grounds),
        "".join(f"\x1b[0;{text}m {text} \x1b[2m dim \x1b[7m reversed " for text in texts),
        "\x1b[8mconcealed\x1b[0m \x1b[7mreversed\x1b[0m \x1b]8;;https://example.org/\x07a link\x1b]8;;\x07 amid text",
        "first\nsecond\nthird",
        event("runner_heartbeat"),
    )
    markdown = (
        "# Title\n\n## Part\n\n|a|b|\n|-|-|\n|1|2|\n\n```diff\n-old\n+new\n```\n\n> `code` [link](https://example.org/)"
    )
    shared_server.emit(
        "payloads",
        event(
            "tool_result",
            tool_name="bash",
            arguments={"command": "make test"},
            text=markdown,
            diff="@@ -1 +1 @@ at\n-old line\n+new line",
            items=[{"n": n, "value": "v" * 80} for n in range(150)],
        ),
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


@pytest.mark.parametrize("look", SCREENS)
@pytest.mark.parametrize("name", FILLED)
def test_a_page_is_accessible(site: Site, visitor: Visitor, name: str, look: str) -> None:
    page = visitor.show(site.filled.url + FILLED[name], look)
    if look == "zoomed":
        expect_no_sideways_scroll(page)
    else:
        expect_accessible(page)


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


@pytest.mark.parametrize("look", THEMES)
@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_page_is_accessible(site: Site, visitor: Visitor, name: str, look: str) -> None:
    expect_accessible(visitor.show(site.empty.url + EMPTY[name], look))


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
