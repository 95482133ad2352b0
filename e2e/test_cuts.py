"""Whatever breaks between page and server, the page says so, comes back by itself and equals a fresh one."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from e2e.live import expect_equal_to_fresh, expect_live_at, expect_rows, statistics
from e2e.runs import run
from tests.support.pace import slowness
from tests.support.proxy import Proxy
from tests.support.server import Server

STREAM = r"^/tasks/[^/]+/stream"
STALE = re.compile(r"stale since \d\d:\d\d:\d\d")


@pytest.fixture
def connect(expect_console: list[str]) -> Iterator[Callable[[Server], Proxy]]:
    """A proxy in front of a server: `connect(server)`."""
    expect_console.append(r"Failed to load resource|net::ERR_|Failed to fetch|network error")
    proxies: list[Proxy] = []

    def between(server: Server) -> Proxy:
        proxies.append(Proxy(server.port))
        return proxies[-1]

    yield between
    for proxy in proxies:
        proxy.close()


def open_task(page: Page, proxy: Proxy, server: Server, task: str) -> list[str]:
    """A page that is live over the proxy, on a run that has begun."""
    server.emit(task, *list(run(5, 60))[:40])
    page.goto(f"{proxy.url}/tasks/{task}")
    expect_live_at(page, 40)
    return [f"line {number}" for number in range(41, 241)]


def seconds_to_load(page: Page, context: BrowserContext) -> float:
    """How long a fresh page takes until it is live: this machine's pace."""
    started, fresh = time.monotonic(), context.new_page()
    fresh.goto(page.url)
    expect(fresh.locator("live-status")).to_contain_text("live at")
    fresh.close()
    return time.monotonic() - started


def cut_and_return(
    page: Page, context: BrowserContext, proxy: Proxy, server: Server, task: str, *, seconds: float
) -> None:
    coming = open_task(page, proxy, server, task)
    pace = seconds_to_load(page, context)
    status, clock = page.locator("live-status"), page.locator("#task-header running-clock")

    proxy.shut()
    cut = time.monotonic()
    expect(status).to_contain_text(STALE, timeout=(1 + pace) * 1000)
    expect(status).to_contain_text("Reconnecting")
    expect(status).to_contain_text(re.compile(r"Retry in \d+ s"))
    expect(clock).to_have_attribute("data-stopped", "")
    stood, since = clock.text_content(), STALE.search(status.text_content() or "")
    for start in range(0, 200, 10):
        server.emit(task, *coming[start : start + 10])
    page.wait_for_timeout(max(0, seconds - (time.monotonic() - cut)) * 1000)
    assert clock.text_content() == stood
    assert since is not None
    assert since.group() in (status.text_content() or "")

    proxy.heal()
    back = time.monotonic()
    expect_live_at(page, 240)
    assert time.monotonic() - back < 2 + pace
    expect_equal_to_fresh(page, context)
    expect_rows(page, 41, 240)
    expect(clock).not_to_have_attribute("data-stopped", "")
    assert statistics(page)["Events"] == 200


def test_a_cut_of_the_network_is_said_at_once_and_loses_nothing(
    server: Server, page: Page, context: BrowserContext, connect: Callable[[Server], Proxy]
) -> None:
    cut_and_return(page, context, connect(server), server, "cut", seconds=3)


@pytest.mark.soak
def test_a_cut_of_ten_seconds_and_one_of_a_minute_lose_nothing(
    server: Server, page: Page, context: BrowserContext, connect: Callable[[Server], Proxy]
) -> None:
    for seconds in (10, 60):
        cut_and_return(page, context, connect(server), server, f"cut-{seconds}", seconds=seconds)


def test_a_killed_server_that_starts_again_goes_on_where_the_page_is(
    start_server: Callable[..., Server], page: Page, context: BrowserContext, connect: Callable[[Server], Proxy]
) -> None:
    server = start_server()
    coming = open_task(page, connect(server), server, "killed")
    server.kill()
    expect(page.locator("live-status")).to_contain_text(STALE)
    server.emit("killed", *coming[:100])
    server.start()
    server.emit("killed", *coming[100:])
    expect_live_at(page, 240)
    expect_equal_to_fresh(page, context)
    expect_rows(page, 41, 240)


def test_a_stopped_server_asks_for_patience_and_that_is_no_error(
    start_server: Callable[..., Server], page: Page, context: BrowserContext, expect_console: list[str]
) -> None:
    expect_console.append(r"net::ERR_|Failed to fetch")  # the next server may take longer than the wait asked for
    server = start_server()
    server.emit("stopped", "one", "two")
    page.goto(f"{server.url}/tasks/stopped")
    expect_live_at(page, 2)
    page.evaluate(
        """() => void (window.told = new Promise((resolve) => {
            document.addEventListener('live:state', ({ detail }) => detail.delay && resolve(detail));
        }))"""
    )
    assert server.stop() < 3 * slowness()
    told = page.evaluate("told")
    assert (told["state"], told["message"]) == ("reconnecting", "the server asked to reconnect")
    assert 200 <= told["delay"] <= 3000
    assert told["stats"]["errors"] == 0
    expect(page.locator("live-status")).to_contain_text(STALE)
    server.emit("stopped", "three")
    server.start()
    expect_live_at(page, 3)
    expect_equal_to_fresh(page, context)


def test_a_bad_gateway_for_a_while_is_over_when_it_is_over(
    server: Server, page: Page, context: BrowserContext, connect: Callable[[Server], Proxy]
) -> None:
    bad_gateway(page, context, connect(server), server, "gateway", seconds=3)


@pytest.mark.soak
def test_a_bad_gateway_for_twenty_seconds_is_over_when_it_is_over(
    server: Server, page: Page, context: BrowserContext, connect: Callable[[Server], Proxy]
) -> None:
    bad_gateway(page, context, connect(server), server, "gateway-20", seconds=20)


def bad_gateway(
    page: Page, context: BrowserContext, proxy: Proxy, server: Server, task: str, *, seconds: float
) -> None:
    coming = open_task(page, proxy, server, task)
    pace = seconds_to_load(page, context)
    before = proxy.asked(STREAM)
    proxy.answer("502 Bad Gateway", body="<h1>502 Bad Gateway</h1>")
    expect(page.locator("live-status")).to_contain_text("the server is not reachable")
    server.emit(task, *coming)
    page.wait_for_timeout(seconds * 1000)
    assert proxy.asked(STREAM) - before <= 2 + seconds / 2, "the page does not hammer at the gateway"
    proxy.heal()
    back = time.monotonic()
    expect_live_at(page, 240)
    assert time.monotonic() - back < 2 + pace
    expect_equal_to_fresh(page, context)
    expect(page.locator("body")).not_to_contain_text("Bad Gateway")


def test_a_busy_server_is_asked_again_when_it_said_or_when_somebody_wants_it_now(
    server: Server, page: Page, context: BrowserContext, connect: Callable[[Server], Proxy]
) -> None:
    proxy = connect(server)
    coming = open_task(page, proxy, server, "busy")
    proxy.answer("503 Service Unavailable", "Retry-After: 60\r\n", only=STREAM)
    expect(page.locator("live-status")).to_contain_text(re.compile(r"Retry in (60|5\d) s"))
    asked = proxy.asked(STREAM)
    server.emit("busy", *coming)
    proxy.heal()
    page.wait_for_timeout(1500)
    assert proxy.asked(STREAM) == asked
    page.get_by_role("button", name="Retry now").click()
    expect_live_at(page, 240)
    expect_equal_to_fresh(page, context)


def test_over_the_cap_a_page_waits_its_turn_and_says_why(
    start_server: Callable[..., Server], page: Page, context: BrowserContext, expect_console: list[str]
) -> None:
    expect_console.append("status of 503")
    server = start_server(max_streams=1)
    server.emit("full", "one")
    other = context.new_page()
    other.goto(f"{server.url}/tasks/full")
    expect_live_at(other, 1)
    page.goto(f"{server.url}/tasks/full")
    expect(page.locator("live-status")).to_contain_text("all streams of this server are taken")
    expect(page.locator("live-status")).to_contain_text(re.compile(r"Retry in \d s"))
    other.close()
    expect_live_at(page, 1)


def test_a_half_open_connection_is_noticed_by_its_silence(
    start_server: Callable[..., Server], page: Page, context: BrowserContext, connect: Callable[[Server], Proxy]
) -> None:
    server = start_server(keepalive_interval=0.5)
    proxy = connect(server)
    coming = open_task(page, proxy, server, "stall")
    proxy.stall()
    moments = "[0, 1, 2, 3, 4].map((s) => new Date(Date.now() - s * 1000).toLocaleTimeString([], {hour12: false}))"
    last_heard = page.evaluate(moments)
    server.emit("stall", *coming)
    expect(page.locator("live-status")).to_contain_text("no sign of life for 6 s", timeout=20_000)
    expect(page.locator("live-status")).to_contain_text(re.compile(f"stale since ({'|'.join(last_heard)})"))
    proxy.heal()
    expect_live_at(page, 240)
    expect_equal_to_fresh(page, context)
    expect_rows(page, 41, 240)


def test_a_frame_that_got_lost_on_the_way_is_noticed_and_fetched(
    start_server: Callable[..., Server], page: Page, context: BrowserContext, connect: Callable[[Server], Proxy]
) -> None:
    server = start_server(stream_compression=False)
    proxy = connect(server)
    coming = open_task(page, proxy, server, "lost")
    lost = proxy.lose_one(b"id: 45\n")
    server.emit("lost", *coming[:5])
    assert lost.wait(5)
    server.emit("lost", *coming[5:])
    expect_live_at(page, 240)
    expect_equal_to_fresh(page, context)
    expect_rows(page, 41, 240)
    assert statistics(page) == {"Events": 200, "Reconnects": 0, "Gaps found": 1, "Gaps recovered": 1, "Errors": 0}


@pytest.mark.parametrize("how", ["502", "hang up"])
def test_a_first_connect_that_fails_is_tried_again(
    server: Server, page: Page, context: BrowserContext, connect: Callable[[Server], Proxy], how: str
) -> None:
    proxy, task = connect(server), f"first-{how[0]}"
    server.emit(task, "one", "two")
    if how == "502":
        proxy.answer("502 Bad Gateway", only=STREAM)
    else:
        proxy.hang_up(only=STREAM)
    page.goto(f"{proxy.url}/tasks/{task}")
    expect(page.locator("live-status")).to_contain_text(STALE)
    expect(page.locator("live-status")).to_contain_text(re.compile(r"Retry in \d s"))
    proxy.heal()
    expect_live_at(page, 2)
    expect_equal_to_fresh(page, context)


def test_an_answer_that_a_retry_would_only_repeat_is_told_and_not_asked_for_again(
    server: Server, context: BrowserContext, connect: Callable[[Server], Proxy]
) -> None:
    server.emit("refused", "one")
    answers = {"401 Unauthorized": "logged out", "403 Forbidden": "not allowed", "404 Not Found": "unknown task"}
    proxies = []
    for answer, said in answers.items():
        proxies.append(connect(server))
        page = context.new_page()
        page.goto(f"{proxies[-1].url}/tasks/refused")
        expect_live_at(page, 1)
        proxies[-1].answer(answer, body="<h1>Log in</h1>", only=STREAM)
        expect(page.locator("live-status")).to_contain_text(said)
        expect(page.locator("html")).to_have_attribute("data-live", "error")
        expect(page.locator("main")).to_contain_text("one")
        expect(page.locator("body")).not_to_contain_text("Log in")
    asked = [proxy.asked(".") for proxy in proxies]
    page.wait_for_timeout(2500)
    assert [proxy.asked(".") for proxy in proxies] == asked


def test_a_task_that_was_deleted_is_told_and_its_last_state_stays(
    server: Server, page: Page, connect: Callable[[Server], Proxy]
) -> None:
    proxy = connect(server)
    open_task(page, proxy, server, "deleted")
    server.store.delete_task("deleted")
    proxy.cut()
    expect(page.locator("live-status")).to_contain_text(re.compile("no task|unknown task"))
    expect(page.locator("html")).to_have_attribute("data-live", "error")
    expect_rows(page, 1, 40)


@pytest.mark.parametrize("length", [3, 300])
def test_a_page_of_a_database_that_was_replaced_reloads_to_the_new_truth(
    start_server: Callable[..., Server],
    page: Page,
    context: BrowserContext,
    connect: Callable[[Server], Proxy],
    length: int,
) -> None:
    server = start_server()
    open_task(page, connect(server), server, "replaced")
    server.replace_database()
    server.emit("replaced", *[f"new {number}" for number in range(1, length + 1)])
    server.start()
    expect_live_at(page, length)
    expect_equal_to_fresh(page, context)
    expect_rows(page, max(1, length - 199), length)
    expect(page.locator("#log-rows")).to_contain_text(f"new {length}")


def test_a_stream_that_ends_every_fifty_events_is_one_stream_to_the_reader(
    start_server: Callable[..., Server], page: Page, context: BrowserContext
) -> None:
    server = start_server(max_events_per_stream=50)
    events = list(run(6, 500))
    server.emit("short", *events[:20])
    page.goto(f"{server.url}/tasks/short")
    expect_live_at(page, 20)
    for start in range(20, len(events), 7):
        server.emit("short", *events[start : start + 7])
    expect_live_at(page, server.latest("short"))
    expect_equal_to_fresh(page, context)
    figures = statistics(page)
    assert figures["Reconnects"] >= 2
    assert figures["Errors"] == figures["Gaps found"] == 0
