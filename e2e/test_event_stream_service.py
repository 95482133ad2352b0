"""EventStreamService in a real browser: every seq once, in order, whatever the network does."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from e2e.stream_stub import Plan, StubServer, running

FOLLOW = """async (options) => {
    const {EventStreamService} = await import('/static/js/EventStreamService.js');
    Object.assign(window, {seen: [], states: [], errors: [], resets: 0, reconnects: 0});
    window.service = new EventStreamService('build-7', {
        reconnectDelay: 20, maxReconnectDelay: 100, ...options,
        onEvent: (event) => seen.push(event.seq),
        onStateChange: (state, {attempt, delay, message}) => states.push({state, attempt, delay, message}),
        onError: (error) => errors.push({message: error.message, status: error.status ?? 0}),
        onReconnect: () => reconnects++,
        onReset: () => resets++,
    });
    service.start();
}"""


@pytest.fixture
def stub() -> Iterator[StubServer]:
    with running() as server:
        yield server


@pytest.fixture
def follow(page: Page, stub: StubServer, expect_console: list[str]) -> Callable[..., None]:
    """Opens the page and follows the stub's log: `follow(watchdogTimeout=300)`, with the options of the service."""
    expect_console.append(r"Failed to load resource|net::ERR_")

    def start(**options: Any) -> None:
        if page.url == "about:blank":
            page.goto(stub.url)
        page.evaluate(FOLLOW, options)

    return start


def saw_all(page: Page, latest: int, first: int = 1) -> None:
    """Waits for `latest`; then the page has seen each seq from `first` to it once and in order."""
    page.wait_for_function("latest => seen.includes(latest)", arg=latest)
    assert page.evaluate("seen") == list(range(first, latest + 1))


def states(page: Page) -> list[str]:
    """The states the service has been in, without repetition."""
    names = [entry["state"] for entry in page.evaluate("states")]
    return [name for at, name in enumerate(names) if at == 0 or names[at - 1] != name]


def wait_for_state(page: Page, state: str) -> None:
    page.wait_for_function("state => service.state === state", arg=state)


def stats(page: Page) -> dict[str, int]:
    return page.evaluate("service.getStats()")


def test_history_and_then_what_comes(page: Page, stub: StubServer, follow: Callable[..., None]) -> None:
    stub.emit(200)
    follow()
    saw_all(page, 200)
    stub.emit(500)
    saw_all(page, 500)
    assert states(page) == ["connecting", "connected"]
    assert stats(page) == {
        "eventsReceived": 500,
        "reconnects": 0,
        "errors": 0,
        "gapsDetected": 0,
        "gapsRecovered": 0,
    }
    assert stub.streams() == ["/sse/tasks/build-7/events?since_seq=0&batch_size=10&flush_interval=0.5"]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("piece", [1, 2, 3, 7, None])
def test_any_line_end_in_pieces_of_any_size(
    page: Page, stub: StubServer, follow: Callable[..., None], line_end: bytes, piece: int | None
) -> None:
    stub.plans.append(Plan(line_end=line_end, piece=piece, prelude=b"\xef\xbb\xbf: hello\n\n", cut_after=1500))
    stub.plans.append(Plan(line_end=line_end, piece=piece))
    stub.emit(40)
    follow()
    saw_all(page, 40)
    assert stats(page)["gapsDetected"] == 0


def test_a_message_of_many_lines_is_one_message(page: Page, stub: StubServer, follow: Callable[..., None]) -> None:
    stub.plans.append(Plan(prelude=b'event\ndata:{"seq":\ndata: 1,"text":"\xc3\xa9"\ndata:}\nunknown: x\n\n'))
    stub.emit(2)
    follow()
    saw_all(page, 2)


@pytest.mark.parametrize("seed", range(4))
def test_cuts_at_any_byte_lose_and_repeat_nothing(
    page: Page, stub: StubServer, follow: Callable[..., None], seed: int
) -> None:
    chance = random.Random(seed)
    cuts = [chance.randrange(0, 1200) for _ in range(30)]
    stub.plans.extend(Plan(cut_after=cut, piece=chance.choice([1, 5, 64, None])) for cut in cuts)
    stub.emit(400)
    follow(reconnectDelay=1, maxReconnectDelay=5)
    saw_all(page, 400)
    assert stats(page)["errors"] == 30


def test_dropped_events_are_fetched_before_later_ones(
    page: Page, stub: StubServer, follow: Callable[..., None]
) -> None:
    stub.plans.append(Plan(drop=frozenset({4, 5, 6, 20, 30, 31})))
    stub.emit(10)
    follow()
    saw_all(page, 10)
    assert stats(page)["gapsRecovered"] == 1
    stub.emit(29)
    saw_all(page, 29)
    stub.emit(40)
    saw_all(page, 40)
    assert stats(page) == {
        "eventsReceived": 40,
        "reconnects": 0,
        "errors": 0,
        "gapsDetected": 3,
        "gapsRecovered": 3,
    }
    assert [target for target in stub.requests if target.startswith("/api/")] == [
        "/api/tasks/build-7/events?since_seq=3&limit=1000",
        "/api/tasks/build-7/events?since_seq=19&limit=1000",
        "/api/tasks/build-7/events?since_seq=29&limit=1000",
    ]


def test_a_gap_of_thousands_is_fetched_in_pages(page: Page, stub: StubServer, follow: Callable[..., None]) -> None:
    stub.plans.append(Plan(drop=frozenset(range(2, 3500))))
    stub.emit(3500)
    follow()
    saw_all(page, 3500)
    assert stats(page)["gapsDetected"] == stats(page)["gapsRecovered"] == 1


def test_a_gap_that_cannot_be_filled_now_is_filled_by_the_next_stream(
    page: Page, stub: StubServer, follow: Callable[..., None]
) -> None:
    stub.break_recovery(500)
    stub.plans.append(Plan(drop=frozenset({5})))
    stub.emit(10)
    follow()
    saw_all(page, 10)
    assert stats(page) == {
        "eventsReceived": 10,
        "reconnects": 1,
        "errors": 1,
        "gapsDetected": 1,
        "gapsRecovered": 1,
    }


def test_without_gap_detection_later_events_come_at_once(
    page: Page, stub: StubServer, follow: Callable[..., None]
) -> None:
    stub.plans.append(Plan(drop=frozenset({5})))
    stub.emit(10)
    follow(gapDetection=False)
    page.wait_for_function("seen.includes(10)")
    assert page.evaluate("seen") == [1, 2, 3, 4, 6, 7, 8, 9, 10]


def test_repeated_events_are_dropped(page: Page, stub: StubServer, follow: Callable[..., None]) -> None:
    stub.plans.append(Plan(repeat=frozenset(range(1, 30))))
    stub.emit(30)
    follow()
    saw_all(page, 30)


def test_unavailable_answers_are_retried_when_the_server_says(
    page: Page, stub: StubServer, follow: Callable[..., None]
) -> None:
    busy = Plan(status=503, headers={"Retry-After": "1"})
    stub.plans.extend([Plan(status=502, body=b"<h1>Bad gateway</h1>"), busy, Plan(body=b"a captive portal")])
    stub.emit(5)
    follow()
    saw_all(page, 5)
    assert states(page) == ["connecting", "reconnecting", "connected"]
    waits = [entry["delay"] for entry in page.evaluate("states") if entry["delay"]]
    assert waits == [20, 1000, 80]
    assert [error["status"] for error in page.evaluate("errors")] == [502, 503, 200]
    assert stats(page)["errors"] == 3


def test_waits_are_1_2_4_8_16_and_30_seconds(page: Page, stub: StubServer, follow: Callable[..., None]) -> None:
    page.clock.install()
    stub.plans.extend(Plan(status=502) for _ in range(7))
    follow(reconnectDelay=1000, maxReconnectDelay=30000)
    for expected in [1000, 2000, 4000, 8000, 16000, 30000, 30000]:
        page.wait_for_function("states.at(-1).delay > 0")
        assert page.evaluate("states.at(-1)")["delay"] == expected
        page.clock.fast_forward(expected)
    wait_for_state(page, "connected")


def test_an_ended_stream_that_brought_nothing_new_is_not_reopened_in_a_loop(
    page: Page, stub: StubServer, follow: Callable[..., None]
) -> None:
    stub.emit(3)
    stub.plans.extend(Plan(end_after=3) for _ in range(4))
    follow()
    page.wait_for_function("states.filter((entry) => entry.delay).length === 4")
    assert [entry["delay"] for entry in page.evaluate("states") if entry["delay"]] == [20, 40, 80, 100]


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_an_answer_that_a_retry_would_only_repeat_ends_in_an_error(
    page: Page, stub: StubServer, follow: Callable[..., None], status: int
) -> None:
    told = b'{"error": {"code": "x", "message": "no task build-7"}}'
    stub.plans.append(Plan(status=status, body=told, headers={"Content-Type": "application/json"}))
    follow()
    wait_for_state(page, "error")
    assert page.evaluate("states.at(-1)") == {
        "state": "error",
        "attempt": 0,
        "delay": 0,
        "message": "no task build-7",
    }
    page.wait_for_timeout(200)
    assert len(stub.streams()) == 1

    page.evaluate("service.retryNow()")
    wait_for_state(page, "connected")


def test_a_token_goes_with_every_request(page: Page, stub: StubServer, follow: Callable[..., None]) -> None:
    asked: list[str | None] = []
    page.on("request", lambda request: "/tasks/" in request.url and asked.append(request.headers.get("authorization")))
    stub.emit(5)
    follow(token="sbx_secret", headers={"X-More": "1"})
    saw_all(page, 5)
    assert asked == ["Bearer sbx_secret"]


def test_gives_up_after_the_allowed_attempts(page: Page, stub: StubServer, follow: Callable[..., None]) -> None:
    stub.plans.extend(Plan(status=502) for _ in range(10))
    follow(maxReconnectAttempts=3)
    wait_for_state(page, "error")
    assert len(stub.streams()) == 4


def test_without_auto_reconnect_a_lost_stream_stays_lost(
    page: Page, stub: StubServer, follow: Callable[..., None]
) -> None:
    stub.emit(5)
    stub.plans.append(Plan(cut_after=100))
    follow(autoReconnect=False)
    wait_for_state(page, "disconnected")
    assert states(page) == ["connecting", "connected", "disconnected"]


def test_a_silent_connection_is_given_up(page: Page, stub: StubServer, follow: Callable[..., None]) -> None:
    stub.emit(50)
    stub.plans.extend([Plan(stall_after=777), Plan(keepalive=0.1)])
    follow(watchdogTimeout=1000)
    saw_all(page, 50)
    assert stats(page)["reconnects"] == 1
    assert "no sign of life for 1 s" in [entry["message"] for entry in page.evaluate("states")]


def test_keepalives_hold_an_idle_connection(page: Page, stub: StubServer, follow: Callable[..., None]) -> None:
    stub.emit(5)
    stub.plans.append(Plan(keepalive=0.05))
    follow(watchdogTimeout=1500)
    saw_all(page, 5)
    page.wait_for_timeout(2000)
    assert states(page) == ["connecting", "connected"]


def test_an_answer_that_does_not_begin_is_given_up(page: Page, stub: StubServer, follow: Callable[..., None]) -> None:
    page.goto(stub.url)
    page.route("**/sse/**", lambda route: None, times=1)
    stub.emit(5)
    follow(connectTimeout=1000)
    saw_all(page, 5)


def test_offline_is_believed_at_once_and_online_reconnects_at_once(
    page: Page, stub: StubServer, follow: Callable[..., None]
) -> None:
    stub.emit(10)
    follow(reconnectDelay=60_000, maxReconnectDelay=60_000)
    saw_all(page, 10)
    page.context.set_offline(True)
    page.wait_for_function("states.at(-1).message === 'offline'")
    assert page.evaluate("states.at(-1).state") == "reconnecting"
    stub.emit(210)
    page.context.set_offline(False)
    page.wait_for_function("seen.includes(210)")
    saw_all(page, 210)
    assert stats(page)["errors"] == 0
    assert page.evaluate("reconnects") == 1


def test_a_farewell_is_followed_at_once_and_is_no_error(
    page: Page, stub: StubServer, follow: Callable[..., None]
) -> None:
    stub.emit(30)
    for end in (10, 20):
        stub.plans.append(Plan(end_after=end, farewell=b"event: reconnect\ndata: {}\n\n"))
    follow(reconnectDelay=60_000, maxReconnectDelay=60_000)
    saw_all(page, 30)
    assert stats(page)["reconnects"] == 2
    assert stats(page)["errors"] == 0
    assert [target.split("&")[0] for target in stub.streams()] == [
        f"/sse/tasks/build-7/events?since_seq={seq}" for seq in (0, 10, 20)
    ]


def test_a_farewell_may_ask_to_wait(page: Page, stub: StubServer, follow: Callable[..., None]) -> None:
    stub.emit(30)
    stub.plans.append(Plan(end_after=10, farewell=b"retry: 250\nevent: reconnect\ndata: {}\n\n"))
    follow()
    saw_all(page, 30)
    assert [entry["delay"] for entry in page.evaluate("states") if entry["delay"]] == [250]


def test_a_reset_starts_the_log_anew(page: Page, stub: StubServer, follow: Callable[..., None]) -> None:
    stub.emit(5)
    stub.plans.append(Plan(prelude=b"event: reset\ndata: {}\n\n"))
    follow(since_seq=900)
    saw_all(page, 5)
    assert page.evaluate("resets") == 1


def test_a_reload_resumes_where_the_page_was(page: Page, stub: StubServer, follow: Callable[..., None]) -> None:
    stub.emit(20)
    follow(persistKey="build-7")
    saw_all(page, 20)
    page.reload()
    stub.emit(40)
    follow(persistKey="build-7")
    saw_all(page, 40, first=21)


def test_nothing_comes_after_stop(page: Page, stub: StubServer, follow: Callable[..., None]) -> None:
    stub.emit(100)
    follow()
    page.wait_for_function("seen.length > 0")
    page.evaluate("service.stop()")
    before = page.evaluate("[seen.length, states.length, states.at(-1).state]")
    assert before[2] == "disconnected"
    stub.emit(200)
    page.wait_for_timeout(200)
    assert page.evaluate("[seen.length, states.length, states.at(-1).state]") == before

    page.evaluate("service.start()")
    saw_all(page, 200)


def test_stop_within_a_callback_stops_between_two_events(page: Page, stub: StubServer) -> None:
    stub.emit(100)
    page.goto(stub.url)
    page.evaluate(FOLLOW.replace("seen.push(event.seq)", "seen.push(event.seq) === 3 && service.stop()"), {})
    wait_for_state(page, "disconnected")
    assert page.evaluate("seen") == [1, 2, 3]


def test_a_page_of_another_origin_follows_by_base_url(
    page: Page, stub: StubServer, follow: Callable[..., None]
) -> None:
    stub.emit(5)
    with running() as other:
        page.goto(other.url)
        page.route(
            f"{stub.url}/**",
            lambda route: route.fulfill(
                status=200,
                headers={"Access-Control-Allow-Origin": other.url, "Content-Type": "text/event-stream"},
                body='data: {"seq": 1}\n\n',
            ),
        )
        follow(baseUrl=stub.url)
        saw_all(page, 1)
        assert other.streams() == []
