"""Test when EventStreamService retries, how long it waits, and when it gives up."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from e2e.stream_page import expect_all_seqs, states, stats, wait_for_state
from e2e.stream_stub import Plan, StubServer


def test_unavailable_answers_are_retried_after_the_servers_wait(
    page: Page, stub: StubServer, follow: Callable[..., None]
) -> None:
    busy = Plan(status=503, headers={"Retry-After": "1"})
    stub.plans.extend([Plan(status=502, body=b"<h1>Bad gateway</h1>"), busy, Plan(body=b"a captive portal")])
    stub.emit(5)
    follow()
    expect_all_seqs(page, 5)
    assert states(page) == ["connecting", "reconnecting", "connected"]
    waits = [entry["delay"] for entry in page.evaluate("states") if entry["delay"]]
    assert waits == [20, 1000, 80]
    assert [error["status"] for error in page.evaluate("errors")] == [502, 503, 200]
    assert stats(page)["errors"] == 3


def test_a_wait_that_is_too_long_for_a_timer_is_not_shortened(
    page: Page, stub: StubServer, follow: Callable[..., None]
) -> None:
    stub.plans.append(Plan(status=503, headers={"Retry-After": "3000000"}))
    follow()
    page.wait_for_function("states.at(-1).delay === 3_000_000_000")
    page.wait_for_timeout(200)
    assert len(stub.streams()) == 1


@pytest.mark.own_profile
def test_waits_are_1_2_4_8_16_and_30_seconds(page: Page, stub: StubServer, follow: Callable[..., None]) -> None:
    page.clock.install()
    page.clock.pause_at("2030-01-01")  # Otherwise a wait may end before its length is checked.
    stub.plans.extend(Plan(status=502) for _ in range(7))
    follow(reconnectDelay=1000, maxReconnectDelay=30000)
    for expected in [1000, 2000, 4000, 8000, 16000, 30000, 30000]:
        page.wait_for_function("states.at(-1).delay > 0")
        assert page.evaluate("states.at(-1)")["delay"] == expected
        page.clock.fast_forward(expected)
    wait_for_state(page, "connected")


def test_an_ended_stream_without_new_events_is_not_reopened_in_a_loop(
    page: Page, stub: StubServer, follow: Callable[..., None]
) -> None:
    stub.emit(3)
    stub.plans.extend(Plan(end_after=3) for _ in range(4))
    follow()
    page.wait_for_function("states.filter((entry) => entry.delay).length === 4")
    assert [entry["delay"] for entry in page.evaluate("states") if entry["delay"]] == [20, 40, 80, 100]


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_permanent_error_is_not_retried(
    page: Page, stub: StubServer, follow: Callable[..., None], status: int
) -> None:
    error = b'{"error": {"code": "x", "message": "no task build-7"}}'
    stub.plans.append(Plan(status=status, body=error, headers={"Content-Type": "application/json"}))
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


def test_the_service_gives_up_after_the_allowed_attempts(
    page: Page, stub: StubServer, follow: Callable[..., None]
) -> None:
    stub.plans.extend(Plan(status=502) for _ in range(10))
    follow(maxReconnectAttempts=3)
    wait_for_state(page, "error")
    assert len(stub.streams()) == 4


def test_without_auto_reconnect_a_lost_stream_is_not_reopened(
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
    expect_all_seqs(page, 50)
    assert stats(page)["reconnects"] == 1
    assert "no data for 1 s" in [entry["message"] for entry in page.evaluate("states")]


def test_keepalives_keep_an_idle_connection_open(page: Page, stub: StubServer, follow: Callable[..., None]) -> None:
    stub.emit(5)
    stub.plans.append(Plan(keepalive=0.05))
    follow(watchdogTimeout=1500)
    expect_all_seqs(page, 5)
    page.wait_for_timeout(2000)
    assert states(page) == ["connecting", "connected"]


def test_a_response_that_does_not_start_is_given_up(page: Page, stub: StubServer, follow: Callable[..., None]) -> None:
    page.goto(stub.url)
    page.route("**/sse/**", lambda route: None, times=1)
    stub.emit(5)
    follow(connectTimeout=1000)
    expect_all_seqs(page, 5)


@pytest.mark.own_profile
def test_a_fetch_that_ignores_its_abort_signal_is_abandoned(
    page: Page, stub: StubServer, follow: Callable[..., None]
) -> None:
    page.clock.install()
    page.goto(stub.url)
    page.evaluate(
        """() => {
            const first = () => { window.fetch = real; return new Promise(() => {}); };
            const real = window.fetch;
            window.fetch = first;
        }"""
    )
    stub.emit(5)
    follow(connectTimeout=10_000)
    page.clock.fast_forward(11_000)
    page.clock.fast_forward(2000)  # The time that it has to obey the signal.
    expect_all_seqs(page, 5)
    assert stats(page)["errors"] == 1


@pytest.mark.own_profile
def test_going_offline_is_shown_at_once_and_online_reconnects_at_once(
    page: Page, stub: StubServer, follow: Callable[..., None]
) -> None:
    stub.emit(10)
    follow(reconnectDelay=60_000, maxReconnectDelay=60_000)
    expect_all_seqs(page, 10)
    page.context.set_offline(True)
    page.wait_for_function("states.at(-1).message === 'offline'")
    assert page.evaluate("states.at(-1).state") == "reconnecting"
    stub.emit(210)
    page.context.set_offline(False)
    page.wait_for_function("seen.includes(210)")
    expect_all_seqs(page, 210)
    assert stats(page)["errors"] == 0
    assert page.evaluate("reconnects") == 1


def test_a_reconnect_message_is_followed_at_once_and_is_no_error(
    page: Page, stub: StubServer, follow: Callable[..., None]
) -> None:
    stub.emit(30)
    for end in (10, 20):
        stub.plans.append(Plan(end_after=end, farewell=b"event: reconnect\ndata: {}\n\n"))
    follow(reconnectDelay=60_000, maxReconnectDelay=60_000)
    expect_all_seqs(page, 30)
    assert stats(page)["reconnects"] == 2
    assert stats(page)["errors"] == 0
    assert [target.split("&")[0] for target in stub.streams()] == [
        f"/sse/tasks/build-7/events?since_seq={seq}" for seq in (0, 10, 20)
    ]


def test_a_reconnect_message_can_ask_the_client_to_wait(
    page: Page, stub: StubServer, follow: Callable[..., None]
) -> None:
    stub.emit(30)
    stub.plans.append(Plan(end_after=10, farewell=b"retry: 250\nevent: reconnect\ndata: {}\n\n"))
    follow()
    expect_all_seqs(page, 30)
    assert [entry["delay"] for entry in page.evaluate("states") if entry["delay"]] == [250]
