"""What a frame costs the browser: the style of few elements is computed again, however long the page is.

One rule such as `p + * {…}` makes Chromium style everything after a removed element again, even if nothing matches it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page

from e2e.live_checks import expect_live_at
from signalbox.store import NewEvent
from tests.support.paths import ROOT
from tests.support.server import Server

STYLESHEETS = sorted((ROOT / "webapp" / "static" / "css").rglob("*.css"))


class View(NamedTuple):
    """A page of the task, what its log has, and an event that changes the page."""

    path: str
    before: list[NewEvent]
    event: NewEvent


def item(number: int, event_type: str = "work_item_start") -> NewEvent:
    return NewEvent(event_type=event_type, span_id=f"item-{number}", payload={"name": f"item {number}"})


def answer(number: int) -> NewEvent:
    messages = [{"role": "user", "content": f"question {number}"}]
    payload = {"model": "m", "output_text": f"answer {number}", "messages": messages}
    return NewEvent(event_type="model_call", span_id=f"call-{number}", payload=payload)


ITEMS = [item(number) for number in range(100)]
VIEWS = {
    "the list": View("/tasks", ITEMS, item(3, "work_item_complete")),
    "the spans": View("/spans", ITEMS, item(3, "work_item_complete")),
    "the waterfall": View("/waterfall", ITEMS, item(3, "work_item_complete")),
    "the conversation": View("/conversation", [answer(number) for number in range(50)], answer(50)),
}


@pytest.mark.long
@pytest.mark.parametrize("name", VIEWS)
def test_a_frame_styles_few_elements_again(server: Server, browser: Browser, page: Page, name: str) -> None:
    path, before, event = VIEWS[name]
    of_all = path == "/tasks"

    def emit(*events: NewEvent) -> None:
        last = server.emit("styled", *events)[-1]
        expect_live_at(page, last.event_id if of_all else last.seq)

    server.emit("styled", NewEvent(event_type="runner_spawn"), *before[:40])
    for number in range(50 if of_all else 0):
        server.emit(f"other-{number}", "started")
    page.goto(server.url + (path if of_all else f"/tasks/styled{path}"))
    emit(*before[40:])
    browser.start_tracing(page=page, categories=["devtools.timeline"])
    emit(event)
    page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    trace = json.loads(browser.stop_tracing())["traceEvents"]
    styled = [one["args"]["elementCount"] for one in trace if one["name"] == "UpdateLayoutTree"]
    assert styled
    assert max(styled) < page.locator("*").count() / 2


@pytest.mark.parametrize("path", STYLESHEETS, ids=lambda path: path.stem)
def test_no_rule_is_about_any_element_that_follows_another_one(path: Path) -> None:
    rules = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
    assert not re.search(r"\+\s*\*", rules)
