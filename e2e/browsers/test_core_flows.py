"""Test the core flows in browsers other than Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.browsers import firefox, webkit
from e2e.browsers.window import Window
from e2e.live_checks import LOADED, MAIN
from e2e.random_run import run
from signalbox.store import NewEvent
from tests.support.proxy import Proxy
from tests.support.server import Server

pytestmark = pytest.mark.browsers

BROWSERS = {"firefox": (firefox.find, firefox.Firefox), "webkit": (webkit.find, webkit.WebKit)}


@pytest.fixture(scope="module", params=BROWSERS)
def window(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    find, start = BROWSERS[request.param]
    program = find()
    folder: Path = tmp_path_factory.mktemp(request.param)
    assert program, f"{request.param} is not installed: `make browsers` says how"
    opened = start(program, folder)
    yield opened
    opened.close()


@pytest.fixture
def task(request: pytest.FixtureRequest) -> str:
    """Return the id of a task that no other test and no other browser uses."""
    return re.sub(r"[^a-z_]", "-", request.node.name)


def live_at(seq: int) -> str:
    return f"document.querySelector('live-status')?.textContent.match(/Live · #{seq}\\b/)"


def expect_equal_to_response(window: Window) -> None:
    assert window.evaluate(f"({MAIN})()") == window.evaluate(f"({LOADED})()")


def test_a_page_is_live(window: Window, server: Server, task: str) -> None:
    events = list(run(21, 300))
    server.emit(task, *events[:50])
    window.goto(f"{server.url}/tasks/{task}")
    window.wait_for(live_at(50))
    server.emit(task, *events[50:])
    window.wait_for(live_at(server.latest(task)))
    expect_equal_to_response(window)


def test_a_page_comes_back_after_the_network_was_cut(window: Window, server: Server, task: str) -> None:
    events = list(run(22, 200))
    server.emit(task, *events[:80])
    proxy = Proxy(server.port)
    try:
        window.goto(f"{proxy.url}/tasks/{task}")
        window.wait_for(live_at(80))
        proxy.shut()
        window.wait_for("document.querySelector('live-status').textContent.includes('Stale since')")
        server.emit(task, *events[80:])
        proxy.heal()
        window.wait_for(live_at(server.latest(task)))
        expect_equal_to_response(window)
    finally:
        proxy.close()


def test_a_form_answers_a_permission_request(window: Window, server: Server, task: str) -> None:
    request = {"request_id": "r1", "tool_name": "rm", "arguments": {"path": "/x"}}
    server.emit(task, "started", NewEvent(event_type="permission_request", payload=request))
    window.goto(f"{server.url}/tasks/{task}")
    window.wait_for(live_at(2))
    window.click("#permissions input[name=reason]")
    window.type("old files")
    window.click("#permissions button[value=approve]")
    window.wait_for(live_at(3))
    answer = server.get(f"/api/tasks/{task}/events/latest").json()[0]
    assert (answer["payload"]["approved"], answer["payload"]["reason"]) == (True, "old files")
    assert window.evaluate("location.pathname") == f"/tasks/{task}"


def test_a_checkpoint_opens_in_a_drawer(window: Window, server: Server, task: str) -> None:
    payload = {"checkpoint_id": "c 1", "evidence_refs": {"artifacts": ["report.json"]}}
    server.emit(task, NewEvent(event_type="checkpoint_commit", payload=payload))
    window.goto(f"{server.url}/tasks/{task}")
    window.wait_for(live_at(1))
    window.click(".checkpoint-name")
    window.wait_for("document.querySelector('dialog[open]')?.textContent.includes('report.json')")
    window.press("Escape")
    window.wait_for("!document.querySelector('dialog[open]')")


def test_the_palette_opens_a_page(window: Window, server: Server, task: str) -> None:
    server.emit(task, *list(run(12, 60))[:30])
    window.goto(f"{server.url}/tasks/{task}")
    window.wait_for(live_at(30))
    window.press("Control", "k")
    window.wait_for("document.activeElement?.getAttribute('role') === 'combobox'")
    window.type("waterf")
    window.wait_for("document.querySelector('[role=option][aria-selected=true]')?.textContent.includes('Waterfall')")
    window.press("Enter")
    window.wait_for(f"location.pathname === '/tasks/{task}/waterfall'")


def test_a_log_follows_until_it_is_scrolled_and_again_when_asked(window: Window, server: Server, task: str) -> None:
    server.emit(task, *[f"line {n}" for n in range(300)])
    window.goto(f"{server.url}/tasks/{task}")
    window.wait_for(live_at(300))
    scroller = "document.querySelector('.log-scroll')"
    follow = "document.querySelector('log-follow button')"
    # The log is laid out from its end, where `scrollTop` is 0; it is negative above.
    at_end = f"{scroller}.scrollTop > -40"
    server.emit(task, "one more")
    window.wait_for(live_at(301))
    window.wait_for(at_end)
    window.evaluate(f"{scroller}.scrollTo(0, -{scroller}.scrollHeight)")
    window.wait_for(f"{follow}.getAttribute('aria-pressed') === 'false'")
    server.emit(task, "unseen")
    window.wait_for(live_at(302))
    assert not window.evaluate(at_end)
    window.click("log-follow button")
    window.wait_for(at_end)
