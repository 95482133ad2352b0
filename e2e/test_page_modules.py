"""Test the page's own modules: no frame is lost or shown twice, the reader's state is kept, and clocks are right."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from e2e.live_checks import expect_equal_to_fresh, expect_live_at
from signalbox.store import NewEvent
from tests.support.server import Server

# Drops, repeats or changes messages of the page's stream between the network and the page.
TAMPER = """
    const real = window.fetch;
    window.tamper = (message) => [message];
    window.fetch = async (...request) => {
        const response = await real(...request);
        if (!response.headers.get('Content-Type')?.includes('event-stream')) return response;
        let rest = '';
        const messages = new TransformStream({transform(text, out) {
            const parts = (rest + text).split('\\n\\n');
            rest = parts.pop();
            for (const part of parts) for (const message of tamper(part)) out.enqueue(message + '\\n\\n');
        }});
        const body = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(messages)
            .pipeThrough(new TextEncoderStream());
        return new Response(body, response);
    };
"""


WAITS = """
    window.waits = [];
    document.addEventListener('live:state', ({detail}) => detail.delay && waits.push(detail.delay));
"""
"""Records the milliseconds of each wait before another connect."""

DROP_FRAMES = "(message) => message.includes('hx-frame') ? (console.log('lost'), []) : [message]"
PASS = "(message) => [message]"


def tamper(page: Page, function: str) -> None:
    page.evaluate(f"void (tamper = {function})")


def lose_a_frame(page: Page, cause: Callable[[], object]) -> None:
    """Drop the frame that `cause` triggers."""
    tamper(page, DROP_FRAMES)
    with page.expect_event("console", lambda message: message.text == "lost"):
        cause()
    tamper(page, PASS)


def lines(first: int, last: int) -> list[str]:
    return [f"line {n}" for n in range(first, last + 1)]


def figures(page: Page) -> str:
    return str(page.locator("live-status dl").text_content())


def test_a_lost_frame_is_fetched_before_the_next_one_is_shown(
    server: Server, page: Page, context: BrowserContext
) -> None:
    server.emit("gap", *lines(1, 10))
    page.add_init_script(TAMPER)
    page.goto(f"{server.url}/tasks/gap")
    expect_live_at(page, 10)
    lose_a_frame(page, lambda: server.emit("gap", *lines(11, 14)))
    with page.expect_request("**/api/tasks/gap/events?*since_seq=10&limit=1000"):
        server.emit("gap", *lines(15, 20))
    expect_live_at(page, 20)
    expect_equal_to_fresh(page, context)
    assert "Gaps found1Gaps recovered1" in figures(page)


@pytest.mark.long
def test_a_heartbeat_reveals_that_the_last_frame_was_lost(
    start_server: Callable[..., Server], page: Page, context: BrowserContext
) -> None:
    server = start_server(keepalive_interval=0.5)
    server.emit("tail", *lines(1, 10))
    page.add_init_script(TAMPER)
    page.goto(f"{server.url}/tasks/tail")
    expect_live_at(page, 10)
    tamper(page, DROP_FRAMES)
    server.emit("tail", *lines(11, 14))
    expect_live_at(page, 14)
    expect_equal_to_fresh(page, context)


def test_a_repeated_frame_is_shown_once(server: Server, page: Page, context: BrowserContext) -> None:
    server.emit("twice", *lines(1, 10))
    page.add_init_script(TAMPER)
    page.goto(f"{server.url}/tasks/twice")
    expect_live_at(page, 10)
    tamper(page, "(message) => [message, message]")
    server.emit("twice", *lines(11, 20))
    expect_live_at(page, 20)
    expect_equal_to_fresh(page, context)


@pytest.mark.long
def test_a_list_fills_a_gap_by_reconnecting(
    start_server: Callable[..., Server], page: Page, context: BrowserContext, expect_console: list[str]
) -> None:
    expect_console.append("a frame was lost")
    server = start_server()
    server.emit("first", "hello")
    page.add_init_script(TAMPER)
    page.goto(f"{server.url}/tasks")
    expect(page.locator("live-status")).to_contain_text("Live ·")
    lose_a_frame(page, lambda: server.emit("second", "hello"))
    server.emit("third", "hello")
    expect(page.get_by_role("link", name="second")).to_be_visible()
    expect(page.get_by_role("link", name="third")).to_be_visible()
    expect_equal_to_fresh(page, context)
    assert "Reconnects1Gaps found1Gaps recovered1Errors1" in figures(page)


@pytest.mark.long
def test_a_page_that_is_reset_twice_waits_before_it_reloads(server: Server, page: Page) -> None:
    server.emit("reset", *lines(1, 3))
    page.add_init_script(TAMPER + "tamper = () => sessionStorage.calm ? [] : ['event: reset\\ndata: {}'];")
    loads: list[str] = []
    page.on("request", lambda request: loads.append(request.url) if request.is_navigation_request() else None)
    page.goto(f"{server.url}/tasks/reset")
    expect(page.locator("live-status")).to_contain_text("the log was replaced on the server: loading the page again in")
    page.wait_for_load_state("load")
    assert len(loads) == 2
    page.evaluate("sessionStorage.calm = true")
    expect(page.locator("live-status")).to_contain_text("Live · #3")


@pytest.mark.parametrize(("status", "said"), [(401, "logged out"), (403, "not allowed"), (404, "unknown task")])
def test_a_permanent_error_is_shown_and_not_retried(
    server: Server, page: Page, expect_console: list[str], status: int, said: str
) -> None:
    expect_console.append(f"status of {status}")
    task = f"refused-{status}"
    server.emit(task, "hello")
    body = "<hx-partial hx-target='main' hx-swap='innerHTML'>Log in here</hx-partial>"
    page.route("**/stream?*", lambda route: route.fulfill(status=status, content_type="text/html", body=body))
    page.goto(f"{server.url}/tasks/{task}")
    expect(page.locator("live-status")).to_contain_text(said)
    expect(page.locator("html")).to_have_attribute("data-live", "error")
    expect(page.locator("main")).to_contain_text("hello")
    page.unroute("**/stream?*")
    page.get_by_role("button", name="Retry now").click()
    expect_live_at(page, 1)


@pytest.mark.long
def test_a_first_connect_that_fails_is_retried(server: Server, page: Page, expect_console: list[str]) -> None:
    expect_console.append("status of 50")
    server.emit("first-connect", "hello")
    statuses: list[int] = []
    shown = False

    def fail(route: Route) -> None:
        if shown and len(statuses) >= 2:
            route.continue_()
        else:
            statuses.append(503 if statuses else 502)
            route.fulfill(status=statuses[-1], headers={"Retry-After": "1"}, body="<h1>Gateway</h1>")

    page.route("**/stream?*", fail)
    page.add_init_script(WAITS)
    page.goto(f"{server.url}/tasks/first-connect")
    expect(page.locator("live-status")).to_contain_text("Stale since")
    expect(page.locator("live-status")).to_contain_text(re.compile(r"Retry in \d s"))
    shown = True
    expect_live_at(page, 1)
    assert page.evaluate("waits.slice(0, 2)") == [1000, 2000]
    expect(page.locator("body")).not_to_contain_text("Gateway")


@pytest.mark.long
@pytest.mark.own_profile
def test_offline_is_shown_at_once_and_clocks_stop(
    server: Server, page: Page, context: BrowserContext, expect_console: list[str]
) -> None:
    expect_console.append("net::ERR_INTERNET_DISCONNECTED|Failed to fetch")
    server.emit("offline", *lines(1, 5))
    page.goto(f"{server.url}/tasks/offline")
    expect_live_at(page, 5)
    context.set_offline(True)
    expect(page.locator("live-status")).to_contain_text("Offline since")
    assert page.title().startswith("(offline) ")
    clock = page.locator("#task-header running-clock")
    expect(clock).to_have_attribute("data-stopped", "")
    server.emit("offline", *lines(6, 205))
    clock_text = clock.text_content()
    page.wait_for_timeout(2100)
    assert clock.text_content() == clock_text
    context.set_offline(False)
    expect_live_at(page, 205)
    expect_equal_to_fresh(page, context)
    expect(clock).not_to_have_attribute("data-stopped", "")
    assert not page.title().startswith("(")


def test_a_hidden_tab_closes_its_stream_and_catches_up_when_shown(
    server: Server, page: Page, context: BrowserContext
) -> None:
    server.emit("hidden", *lines(1, 5))
    page.goto(f"{server.url}/tasks/hidden")
    expect_live_at(page, 5)
    page.evaluate("Object.defineProperty(document, 'hidden', {get: () => window.away, configurable: true})")
    page.evaluate("window.away = true; document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("live-status")).to_contain_text("Stale since")
    server.emit("hidden", *lines(6, 50))
    page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
    expect_live_at(page, 50)
    expect_equal_to_fresh(page, context)
    assert "Errors0" in figures(page)


@pytest.mark.long
def test_a_reader_of_old_lines_stays_there_and_can_jump_to_the_newest(
    server: Server, page: Page, context: BrowserContext
) -> None:
    server.emit("buried", *lines(1, 300))
    page.goto(f"{server.url}/tasks/buried")
    expect_live_at(page, 300)
    page.get_by_role("button", name="Follow").click()
    for start in range(301, 2901, 200):
        server.emit("buried", *lines(start, start + 199))
        expect_live_at(page, start + 199, timeout=120)  # The layout of 2,000 rows takes the longest of all tests.
    assert page.locator("#log-rows > li").count() <= 2000
    page.get_by_role("button", name="2600 new").click()
    # `expect` describes the whole page whenever it does not find the line yet. With 2,000 rows that takes seconds.
    page.wait_for_function("document.getElementById('e2900')")
    expect(page.locator("#e2900")).to_be_in_viewport()
    server.emit("buried", *lines(2901, 2910))
    expect_live_at(page, 2910)
    expect(page.locator("#log-rows > li")).to_have_count(200)
    expect_equal_to_fresh(page, context)


def test_times_are_local_with_the_full_time_in_a_tooltip(
    server: Server, new_context: Callable[..., BrowserContext]
) -> None:
    server.emit("times", "hello")
    at = server.get("/api/tasks/times/events").json()["events"][0]["created_at"]
    page = new_context(timezone_id="Asia/Kathmandu", locale="en-GB").new_page()
    page.goto(f"{server.url}/tasks/times")
    local = page.evaluate("at => new Date(new Date(at).getTime() + 345 * 60_000).toISOString().slice(11, 23)", at)
    expect(page.locator("#e1 time")).to_have_text(local)
    expect(page.locator("#e1 time")).to_have_attribute("title", re.compile(r"20\d\d.*GMT\+5:45"))
    server.emit("times", "again")
    expect(page.locator("#e2 time")).to_have_attribute("title", re.compile(r"GMT\+5:45"))


def test_ages_are_right_on_a_machine_whose_clock_is_wrong(server: Server, page: Page) -> None:
    server.emit("ahead", NewEvent(event_type="runner_spawn"))
    page.add_init_script(
        """const [now, hour, origin] = [Date.now, 3_600_000, performance.timeOrigin];
        Date.now = () => now() + hour;
        Object.defineProperty(performance, 'timeOrigin', {value: origin + hour});"""
    )
    page.goto(f"{server.url}/tasks")
    expect(page.locator("#task_ahead relative-time").first).to_have_text(re.compile("^(now|[0-9]+ sec. ago)$"))
    expect(page.locator("live-status")).to_contain_text("Live")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog").get_by_role("combobox")).to_be_focused()
    page.keyboard.type("ahead")
    expect(page.get_by_role("option", name="ahead")).to_contain_text(re.compile("· (now|[0-9]+ sec. ago) ·"))


def test_the_chosen_theme_is_remembered(server: Server, page: Page) -> None:
    page.goto(f"{server.url}/tasks")
    switch = page.get_by_role("button", name="Theme: system")
    switch.click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.get_by_role("button", name="Theme: light").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_role("button", name="Theme: dark").click()
    expect(page.locator("html")).not_to_have_attribute("data-theme", re.compile("."))


def test_keyboard_shortcuts_work_and_are_listed_in_the_help(server: Server, page: Page) -> None:
    server.emit("keys", *lines(1, 5))
    page.goto(f"{server.url}/tasks/keys")
    expect_live_at(page, 5)
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(sheet).to_contain_text("Go to the tasks")
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    page.keyboard.press("k")
    expect(page.locator("#e5 a").first).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("j")
    expect(page.locator("#e5 a").first).to_be_focused()
    follow = page.get_by_role("button", name="Follow")
    expect(follow).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("f")
    expect(follow).to_have_attribute("aria-pressed", "false")
    page.keyboard.type("gt")
    page.wait_for_url("**/tasks")
    page.keyboard.press("/")
    search = page.get_by_role("searchbox")
    expect(search).to_be_focused()
    page.keyboard.type("g t?")
    expect(search).to_have_value("g t?")
