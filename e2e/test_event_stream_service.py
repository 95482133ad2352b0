"""Test EventStreamService in a real browser: it delivers every seq once and in order over a faulty network."""

import random
from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from e2e.stream_page import FOLLOW, expect_all_seqs, states, stats, wait_for_state
from e2e.stream_stub import Plan, StubServer, running


def test_history_is_delivered_before_new_events(page: Page, stub: StubServer, follow: Callable[..., None]) -> None:
    stub.emit(200)
    follow()
    expect_all_seqs(page, 200)
    stub.emit(500)
    expect_all_seqs(page, 500)
    assert states(page) == ["connecting", "connected"]
    assert stats(page) == {
        "eventsReceived": 500,
        "reconnects": 0,
        "errors": 0,
        "gapsDetected": 0,
        "gapsRecovered": 0,
    }
    assert stub.streams() == ["/sse/tasks/build-7/events?since_seq=0&batch_size=10&flush_interval=0.5"]


def test_the_identity_of_the_task_is_sent_with_each_request(
    page: Page, stub: StubServer, follow: Callable[..., None]
) -> None:
    stub.plans.append(Plan(cut_after=100))
    stub.emit(20)
    follow(identity="3f9c2a7be1d04586")
    expect_all_seqs(page, 20)
    assert len(stub.streams()) > 1
    assert all(address.endswith("&identity=3f9c2a7be1d04586") for address in stub.streams())


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("piece", [1, 2, 3, 7, None])
def test_any_line_ending_and_chunk_size_is_accepted(
    page: Page, stub: StubServer, follow: Callable[..., None], line_end: bytes, piece: int | None
) -> None:
    stub.plans.append(Plan(line_end=line_end, piece=piece, prelude=b"\xef\xbb\xbf: hello\n\n", cut_after=1500))
    stub.plans.append(Plan(line_end=line_end, piece=piece))
    stub.emit(40)
    follow()
    expect_all_seqs(page, 40)
    assert stats(page)["gapsDetected"] == 0


def test_a_message_of_many_lines_is_one_message(page: Page, stub: StubServer, follow: Callable[..., None]) -> None:
    stub.plans.append(Plan(prelude=b'event\ndata:{"seq":\ndata: 1,"text":"\xc3\xa9"\ndata:}\nunknown: x\n\n'))
    stub.emit(2)
    follow()
    expect_all_seqs(page, 2)


@pytest.mark.parametrize("seed", range(4))
def test_cuts_at_any_byte_lose_and_repeat_nothing(
    page: Page, stub: StubServer, follow: Callable[..., None], seed: int
) -> None:
    chance = random.Random(seed)
    cuts = [chance.randrange(0, 1200) for _ in range(30)]
    stub.plans.extend(Plan(cut_after=cut, piece=chance.choice([1, 5, 64, None])) for cut in cuts)
    stub.emit(400)
    follow(reconnectDelay=1, maxReconnectDelay=5)
    expect_all_seqs(page, 400)
    assert stats(page)["errors"] == 30


def test_dropped_events_are_fetched_before_later_ones(
    page: Page, stub: StubServer, follow: Callable[..., None]
) -> None:
    stub.plans.append(Plan(drop=frozenset({4, 5, 6, 20, 30, 31})))
    stub.emit(10)
    follow()
    expect_all_seqs(page, 10)
    assert stats(page)["gapsRecovered"] == 1
    stub.emit(29)
    expect_all_seqs(page, 29)
    stub.emit(40)
    expect_all_seqs(page, 40)
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


def test_a_gap_of_thousands_of_events_is_fetched_in_pages(
    page: Page, stub: StubServer, follow: Callable[..., None]
) -> None:
    stub.plans.append(Plan(drop=frozenset(range(2, 3500))))
    stub.emit(3500)
    follow()
    expect_all_seqs(page, 3500)
    assert stats(page)["gapsDetected"] == stats(page)["gapsRecovered"] == 1


def test_a_gap_that_cannot_be_fetched_is_filled_by_the_next_stream(
    page: Page, stub: StubServer, follow: Callable[..., None]
) -> None:
    stub.break_recovery(500)
    stub.plans.append(Plan(drop=frozenset({5})))
    stub.emit(10)
    follow()
    expect_all_seqs(page, 10)
    assert stats(page) == {
        "eventsReceived": 10,
        "reconnects": 1,
        "errors": 1,
        "gapsDetected": 1,
        "gapsRecovered": 1,
    }


def test_without_gap_detection_later_events_are_delivered_at_once(
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
    expect_all_seqs(page, 30)


def test_every_request_carries_the_token(page: Page, stub: StubServer, follow: Callable[..., None]) -> None:
    asked: list[str | None] = []
    page.on("request", lambda request: "/tasks/" in request.url and asked.append(request.headers.get("authorization")))
    stub.emit(5)
    follow(token="sbx_secret", headers={"X-More": "1"})
    expect_all_seqs(page, 5)
    assert asked == ["Bearer sbx_secret"]


def test_a_reset_starts_the_log_over(page: Page, stub: StubServer, follow: Callable[..., None]) -> None:
    stub.emit(5)
    stub.plans.append(Plan(prelude=b"event: reset\ndata: {}\n\n"))
    follow(since_seq=900)
    expect_all_seqs(page, 5)
    assert page.evaluate("resets") == 1


def test_a_reload_resumes_where_the_page_was(page: Page, stub: StubServer, follow: Callable[..., None]) -> None:
    stub.emit(20)
    follow(persistKey="build-7")
    expect_all_seqs(page, 20)
    page.reload()
    stub.emit(40)
    follow(persistKey="build-7")
    expect_all_seqs(page, 40, first=21)


def test_no_event_is_delivered_after_stop(page: Page, stub: StubServer, follow: Callable[..., None]) -> None:
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
    expect_all_seqs(page, 200)


def test_stop_within_a_callback_stops_between_two_events(page: Page, stub: StubServer) -> None:
    stub.emit(100)
    page.goto(stub.url)
    page.evaluate(FOLLOW.replace("seen.push(event.seq)", "seen.push(event.seq) === 3 && service.stop()"), {})
    wait_for_state(page, "disconnected")
    assert page.evaluate("seen") == [1, 2, 3]


def test_a_page_of_another_origin_can_follow_with_base_url(
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
        expect_all_seqs(page, 1)
        assert other.streams() == []
