"""The conversation of a run in a browser: it grows in place, equals a fresh page, and reads well on any screen."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from e2e.axe import THEMES, expect_accessible
from e2e.live_checks import expect_equal_to_fresh, expect_equal_to_response, expect_live_at
from e2e.visitor import Visitor
from signalbox.store import Event, NewEvent, open_store
from signalbox.webapp.demo.agent import converse
from tests.support.log import log_of
from tests.support.server import Server


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[NewEvent]]:
    """Record the demo agent, with its tools, another agent and a streamed answer."""
    folder: Path = tmp_path_factory.mktemp("recorded")
    store = open_store(f"sqlite:///{folder / 'log.db'}")
    converse(store, pace=0, task_id="review")
    # Playwright runs an event loop in this thread.
    with ThreadPoolExecutor(1) as thread:
        yield list(map(again, thread.submit(log_of, store, "review").result()))
    store.close()


def again(event: Event) -> NewEvent:
    """Return an event to append to another log."""
    return NewEvent(
        event_type=event.event_type,
        phase=event.phase,
        actor=event.actor,
        span_id=event.span_id,
        parent_span_id=event.parent_span_id,
        payload=event.payload,
    )


def test_a_live_conversation_grows_in_place_and_equals_a_fresh_page(
    server: Server, page: Page, context: BrowserContext, recorded: list[NewEvent]
) -> None:
    first = next(at for at, event in enumerate(recorded) if event.event_type == "token")
    server.emit("talk", *recorded[:first])
    page.goto(f"{server.url}/tasks/talk/conversation")
    expect(page.locator(".speech")).to_have_count(2)
    server.emit("talk", recorded[first], recorded[first + 1])
    answer = page.locator(".speech--assistant")
    expect(answer).to_contain_text("I look")
    expect(answer).to_contain_text("writing…")
    name = answer.get_attribute("id")
    step = len(recorded) // 6
    for start in range(first + 2, len(recorded), step):
        server.emit("talk", *recorded[start : start + step])
        expect_live_at(page, server.latest("talk"))
        expect_equal_to_response(page)
    assert page.locator(".speech--assistant").first.get_attribute("id") == name
    expect(page.locator(".speech--streaming")).to_have_count(0)
    expect(page.locator(".speech--agent .speech--assistant")).to_contain_text("I count")
    expect(page.locator(".speech--tool")).to_have_count(2)
    expect_equal_to_fresh(page, context)


def test_a_branch_that_a_reader_folded_stays_folded(server: Server, page: Page, recorded: list[NewEvent]) -> None:
    server.emit("fold", *recorded[:-4])
    page.goto(f"{server.url}/tasks/fold/conversation")
    branch = page.locator(".speech--agent > details")
    branch.locator("summary").first.click()
    expect(branch).not_to_have_attribute("open", "")
    inside = next(event for event in recorded if event.payload.get("work_item_id") == "checker")
    server.emit("fold", NewEvent(event_type="log", span_id=inside.span_id, payload={"messages": [], "model": "m"}))
    server.emit("fold", NewEvent(event_type="token", span_id=inside.span_id, payload={"text": "more"}))
    expect_live_at(page, server.latest("fold"))
    expect(page.locator(".speech--agent .speech-head").first).to_contain_text("3 blocks")
    expect(branch).not_to_have_attribute("open", "")


def test_the_page_moves_on_with_a_long_conversation(server: Server, page: Page, context: BrowserContext) -> None:
    def said(number: int) -> NewEvent:
        message = {"role": "assistant", "content": f"answer {number}"}
        return NewEvent(event_type="log", payload={"model": "small-1", "choices": [{"message": message}]})

    server.emit("long-talk", NewEvent(event_type="runner_spawn"), *map(said, range(95)))
    page.goto(f"{server.url}/tasks/long-talk/conversation")
    expect(page.locator(".speech")).to_have_count(95)
    for start in (95, 100, 130):
        server.emit("long-talk", *map(said, range(start, start + 5)))
        expect_live_at(page, server.latest("long-talk"))
        expect_equal_to_response(page)
    page.get_by_role("link", name="Earlier in the conversation").click()
    expect(page.locator(".speech").first).to_contain_text("answer 0")
    expect_equal_to_fresh(page, context)


@pytest.fixture(scope="module")
def seen(shared_server: Server, recorded: list[NewEvent]) -> str:
    shared_server.emit("seen", *recorded)
    return f"{shared_server.url}/tasks/seen"


@pytest.mark.parametrize("look", THEMES)
@pytest.mark.parametrize("path", ["conversation", "conversation/3"])
def test_a_conversation_is_accessible(seen: str, visitor: Visitor, path: str, look: str) -> None:
    expect_accessible(visitor.show(f"{seen}/{path}", look))
