"""Test finding events in a log by text, type, failure and time."""

from __future__ import annotations

import time
from typing import Any

import pytest

from signalbox.store import LogQuery, NewEvent, Store


def log(message: str, **payload: Any) -> NewEvent:
    return NewEvent(event_type="log", payload={"message": message, **payload})


async def found_seqs(store: Store, query: LogQuery, task_id: str = "run", **page: int) -> list[int]:
    async with store.read() as view:
        return [event.seq for event in (await view.search(task_id, query, **page)).events]


async def test_a_search_text_is_taken_literally(store: Store) -> None:
    store.append("other", log("Disk full"))
    store.append(
        "run", [log("Disk full"), log('he said "no"'), log("42% of_it"), log("420"), log("a\\b\nc"), log("Ärger")]
    )
    store.append("run", NewEvent(event_type="work_item_failed", payload={"exit_code": 1}))
    for text, seqs in {
        "disk FULL": [1],
        '"no"': [2],
        "42%": [3],
        "of_it": [3],
        "o__t": [],
        "a\\b": [5],
        "b\nc": [5],
        "Ärger": [6],
        "item_failed": [7],
        '"exit_code":1': [7],
        "nowhere": [],
    }.items():
        assert await found_seqs(store, LogQuery(text=text)) == seqs, text


async def test_text_is_found_across_terminal_escapes(store: Store) -> None:
    store.append(
        "run",
        [
            log("\x1b[31mfai\x1b[0mled to connect"),
            log("see \x1b]8;;https://example.org/run/42\x1b\\run 42\x1b]8;;\x1b\\ now"),
            log("\x9b32mgre\x9b0men", note={"deep": ["\x1b[1mbo\x1b[0mld"]}),
            log(r"written as \u001b[31m, fai\u001b[0mled"),
            log("plain failed"),
        ],
    )
    for text, seqs in {
        "failed": [1, 5],
        "FAILED TO": [1],
        "see run 42 now": [2],
        "green": [3],
        '"bold"': [3],
        "[31m": [1, 4],
    }.items():
        assert await found_seqs(store, LogQuery(text=text)) == seqs, text


async def test_a_search_ignores_case_in_any_script(store: Store) -> None:
    store.append("run", [log("Ärger am Öresund"), log("ÄRGER"), log("a\u0308rger"), log("ОШИБКА: нет места")])
    store.append("run", log("\x1b[31mОши\x1b[0mбка"))
    for text, seqs in {"ärger": [1, 2, 3], "Ärger": [1, 2, 3], "öresund": [1], "ошибка": [4, 5], "нет М": [4]}.items():
        assert await found_seqs(store, LogQuery(text=text)) == seqs, text


async def test_filters_work_alone_and_together(store: Store) -> None:
    store.append(
        "run",
        [
            NewEvent(event_type="phase_enter", phase="planning", span_id="p", actor="supervisor"),
            NewEvent(event_type="log", phase="planning", span_id="p", payload={"message": "x", "level": "Error"}),
            NewEvent(event_type="log", phase="executing", payload={"message": "error x", "stream": "stderr"}),
            NewEvent(event_type="log", phase="executing", payload={"message": "y", "level": ["error"]}),
        ],
    )
    assert await found_seqs(store, LogQuery()) == [1, 2, 3, 4]
    assert await found_seqs(store, LogQuery(event_type="log")) == [2, 3, 4]
    assert await found_seqs(store, LogQuery(phase="planning")) == [1, 2]
    assert await found_seqs(store, LogQuery(actor="supervisor")) == [1]
    assert await found_seqs(store, LogQuery(span_id="p")) == [1, 2]
    assert await found_seqs(store, LogQuery(level="error")) == [2]
    assert await found_seqs(store, LogQuery(stream="stderr")) == [3]
    assert await found_seqs(store, LogQuery(text="x", phase="planning", event_type="log")) == [2]


async def test_a_search_is_limited_to_a_range_of_seqs(store: Store) -> None:
    store.append("run", [log(f"line {number}") for number in range(1, 7)])
    assert await found_seqs(store, LogQuery(text="line", since=3)) == [3, 4, 5, 6]
    assert await found_seqs(store, LogQuery(text="line", since=3, until=4)) == [3, 4]
    assert await found_seqs(store, LogQuery(text="line", since=7)) == []


async def test_a_level_that_is_not_a_text_is_found_as_it_is_written_in_json(store: Store) -> None:
    for level in (True, False, None, 1, 2.5, ["error"]):
        store.append("run", log("x", level=level))
    words = ("true", "FALSE", "null", "1", "2.5", '["error"]', "0")
    found = {word: await found_seqs(store, LogQuery(level=word)) for word in words}
    assert found == {"true": [1], "FALSE": [2], "null": [], "1": [4], "2.5": [5], '["error"]': [], "0": []}


async def test_hits_are_counted_over_the_whole_log_and_paged(store: Store) -> None:
    store.append("run", [log("even" if n % 2 else "odd") for n in range(50)])
    seen: list[int] = []
    while True:
        async with store.read() as view:
            page = await view.search("run", LogQuery(text="even"), seen[-1] if seen else 0, 10)
        assert page.total == 25
        seen += [event.seq for event in page.events]
        if not page.more:
            break
    assert seen == list(range(2, 51, 2))
    async with store.read() as view:
        nothing = await view.search("run", LogQuery(text="never"))
    assert (nothing.events, nothing.total, nothing.more) == ([], 0, False)


FAILURES = [
    NewEvent(event_type="work_item_failed"),
    NewEvent(event_type="build_failed"),
    NewEvent(event_type="checkpoint_invalid", payload={"checkpoint_id": "c"}),
    NewEvent(event_type="log", payload={"level": "ERROR", "message": "x"}),
    NewEvent(event_type="log", payload={"message": "x", "level": "critical"}),
    NewEvent(event_type="tool_result", payload={"error_code": "E1"}),
    NewEvent(event_type="status", payload={"status": "failed"}),
    NewEvent(event_type="runner_exit", payload={"exit_code": 3}),
]
OTHERS = [
    NewEvent(event_type="log", payload={"message": '"level":"error"'}),
    NewEvent(event_type="log", payload={"level": "info", "nested": {"level": "error", "error_code": 1}}),
    NewEvent(event_type="tool_result", payload={"error_code": ""}),
    NewEvent(event_type="tool_result", payload={"error_code": None}),
    NewEvent(event_type="note", payload={"exit_code": 3, "status": "failed"}),
    NewEvent(event_type="runner_exit", payload={"exit_code": 0, "status": "done"}),
]


@pytest.mark.parametrize("event", FAILURES, ids=lambda event: f"{event.event_type} {event.payload}")
async def test_the_next_failure_is_found(store: Store, event: NewEvent) -> None:
    store.append("run", [log("before"), event, log("after")])
    async with store.read() as view:
        assert await view.next_failure("run", 0) == 2
        assert await view.next_failure("run", 2) is None
    assert await found_seqs(store, LogQuery(failures=True)) == [2]


@pytest.mark.parametrize("event", OTHERS, ids=lambda event: f"{event.event_type} {event.payload}")
async def test_an_event_that_only_mentions_a_failure_is_not_one(store: Store, event: NewEvent) -> None:
    store.append("run", [log("before"), event])
    async with store.read() as view:
        assert await view.next_failure("run", 0) is None


async def test_a_payload_of_the_deepest_allowed_nesting_is_found(store: Store) -> None:
    deep: Any = "bottom"
    for _ in range(98):
        deep = [deep]
    store.append("run", NewEvent(event_type="log", payload={"level": "error", "error_code": deep}))
    assert await found_seqs(store, LogQuery(level="error")) == [1]
    assert await found_seqs(store, LogQuery(text="bottom")) == [1]


async def test_a_time_finds_the_first_event_at_or_after_it(store: Store) -> None:
    first, second = store.append("run", [log("one"), log("two")])
    async with store.read() as view:
        assert await view.first_seq_at("run", "2020-01-01T00:00:00.000000Z") == 1
        assert await view.first_seq_at("run", second.created_at) in (1, 2)
        assert await view.first_seq_at("run", "2999-01-01T00:00:00.000000Z") is None
    assert first.created_at <= second.created_at


async def test_a_time_finds_late_events_by_when_they_happened(store: Store) -> None:
    def event_at(hour: str) -> NewEvent:
        return NewEvent(event_type="log", occurred_at=f"2026-11-20T{hour}:00:00Z")

    *_, (now, *_) = (
        store.append("run", event)
        for event in ([event_at("09"), event_at("12"), event_at("11")], [event_at("15")], [log("now")])
    )
    store.append("run", [event_at("10")])
    async with store.read() as view:

        async def first(hour: str) -> int | None:
            return await view.first_seq_at("run", f"2026-11-20T{hour}:00:00.000000Z")

        assert [await first(hour) for hour in ("08", "09", "10", "11", "12", "13")] == [1, 1, 6, 3, 2, 4]
        assert await first("16") == now.seq == 5, "an event without a time of its own happened when it was appended"
        assert await view.first_seq_at("run", "2999-01-01T00:00:00.000000Z") is None


@pytest.mark.long
async def test_a_log_of_a_hundred_thousand_events_is_searched_fast(store: Store) -> None:
    # CPU time, so that a busy machine does not make the search look slow.
    words = "the quick brown fox jumps over the lazy dog and comes back for another round of the very same thing"
    for start in range(0, 100_000, 5000):
        store.append("run", [log(f"line {start + n}: {words}", stream="stdout") for n in range(5000)])
    elapsed = []
    for _ in range(3):
        started = time.process_time()
        assert await found_seqs(store, LogQuery(text="line 99999:")) == [100_000]
        elapsed.append(time.process_time() - started)
    started = time.process_time()
    async with store.read() as view:
        assert await view.next_failure("run", 0) is None
    assert time.process_time() - started < 0.05
    assert min(elapsed) < 0.3


async def test_events_can_be_found_by_type_and_by_an_id_in_the_payload(store: Store) -> None:
    def event_about(event_type: str, **payload: Any) -> NewEvent:
        return NewEvent(event_type=event_type, payload=payload)

    store.append(
        "run",
        [event_about("checkpoint_commit", checkpoint_id='c"1'), event_about("evidence_linked", checkpoint_id="c2")],
    )
    store.append(
        "run",
        [
            event_about("evidence_linked", refs={"to": ['c"1']}),
            event_about("log", message='c"1'),
            event_about("status"),
        ],
    )
    async with store.read() as view:
        types = ("checkpoint_commit", "evidence_linked")
        assert [event.seq for event in await view.events_of_types("run", types, naming='c"1')] == [1, 3]
        assert [event.seq for event in await view.events_of_types("run", types, naming="%")] == []
        assert [event.seq for event in await view.events_of_types("run", types)] == [1, 2, 3]


async def test_one_checkpoint_can_be_read(store: Store) -> None:
    store.append("run", NewEvent(event_type="checkpoint_commit", payload={"checkpoint_id": "c1"}))
    store.append("run", NewEvent(event_type="checkpoint_verified", payload={"checkpoint_id": "c1"}))
    async with store.read() as view:
        found_seqs = await view.checkpoint("run", "c1")
        assert found_seqs
        assert (found_seqs.state, found_seqs.seq) == ("verified", 1)
        assert await view.checkpoint("run", "c2") is None
        assert await view.checkpoint("other", "c1") is None
