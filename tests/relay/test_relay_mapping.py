"""Test how messages of an upstream are mapped to events."""

from __future__ import annotations

from typing import Any

import pytest

from signalbox.store.events import MAX_PAYLOAD_BYTES, NewEvent, check_event
from signalbox.store.remote.sse import Message
from signalbox.webapp.relay.mapping import says_log_was_replaced, to_event

TIME = "2026-11-21T14:02:07.123456Z"


@pytest.mark.parametrize(
    ("name", "data", "event_type", "payload"),
    [
        ("log", f"{TIME} compiled 3 files", "log", {"message": "compiled 3 files", "at": TIME}),
        ("log", "no time at all", "log", {"message": "no time at all"}),
        ("log", "2026 was a year", "log", {"message": "2026 was a year"}),
        ("log", "", "log", {"message": ""}),
        ("log", '{"a": 1}', "log", {"message": '{"a": 1}'}),
        ("log", '{"type": ["a"], "n": 1}', "log", {"message": '{"type": ["a"], "n": 1}'}),
        ("log", '{"type": {"a": 1}, "message": "hi"}', "log", {"type": {"a": 1}, "message": "hi"}),
        ("message", '{"event_type": ["a"]}', "log", {"message": '{"event_type": ["a"]}'}),
        ("message", "two\nlines", "log", {"message": "two\nlines"}),
        ("status", "Task success", "runner_exit", {"exit_code": 0, "status": "done", "message": "Task success"}),
        ("status", "Task failed: out of memory", "runner_exit", {"exit_code": 1, "message": "out of memory"}),
        ("status", "Task failed", "runner_exit", {"exit_code": 1, "message": "Task failed"}),
        ("status", "Task cancelled", "runner_exit", {"exit_code": 130, "status": "cancelled"}),
        ("status", "warming up", "status", {"message": "warming up"}),
        ("status", '{"status": "failed", "message": "no"}', "status", {"status": "failed", "message": "no"}),
        ("progress_update", '{"progress": {"current": 1}}', "progress_update", {"progress": {"current": 1}}),
        ("deploy", "to the moon", "deploy", {"message": "to the moon"}),
        ("message", '{"type": "tool_status", "data": {"tool": "x"}}', "tool_status", {"tool": "x"}),
    ],
)
def test_a_message_becomes_an_event(name: str, data: str, event_type: str, payload: dict[str, Any]) -> None:
    event = to_event(Message(name, data, ""))
    assert event is not None
    assert event.event_type == event_type
    assert payload.items() <= event.payload.items()


def test_a_signalbox_event_is_kept_unchanged() -> None:
    data = (
        '{"event_id": 7, "task_id": "t", "seq": 3, "event_type": "phase_enter", "phase": "planning", "actor": "worker",'
        ' "span_id": "s", "parent_span_id": null, "payload": {"explanation": "so"}, "created_at": "now", "key": "k"}'
    )
    assert to_event(Message("message", data, "3")) == NewEvent(
        event_type="phase_enter", phase="planning", actor="worker", span_id="s", payload={"explanation": "so"}
    )


@pytest.mark.parametrize(
    ("name", "data"),
    [("heartbeat", "{}"), ("ping", "x"), ("reconnect", ""), ("message", '{"type": "heartbeat", "data": {}}')],
)
def test_messages_about_the_connection_become_no_event(name: str, data: str) -> None:
    assert to_event(Message(name, data, "")) is None


def test_only_a_signalbox_reset_is_treated_as_a_reset() -> None:
    assert says_log_was_replaced(Message("reset", '{"latest_seq": 3, "earliest_seq": 1}', ""))
    assert says_log_was_replaced(Message("reset", '{"reason": "deleted"}', ""))
    assert not says_log_was_replaced(Message("reset", "of the counters", ""))
    assert to_event(Message("reset", "of the counters", "")) == NewEvent(
        event_type="reset", payload={"message": "of the counters"}
    )


@pytest.mark.parametrize(
    "data",
    [
        "x" * (2 * MAX_PAYLOAD_BYTES),
        '{"event_type": "log", "payload": {"message": "' + "x" * MAX_PAYLOAD_BYTES + '"}}',
        '{"event_type": "", "payload": {}}',
        '{"event_type": "two\\nlines"}',
        '{"event_type": "log", "phase": 7}',
        '{"event_type": "log", "span_id": "s", "parent_span_id": "s"}',
        "{" * 100_000,
        "\x00\x1b" * MAX_PAYLOAD_BYTES,
    ],
)
def test_data_that_fits_no_event_is_stored_as_a_log_line(data: str) -> None:
    event = to_event(Message("message", data, ""))
    assert event is not None
    assert event.event_type == "log"
    check_event(event)
    assert event.payload["message"].rstrip("…") in data


def test_an_invalid_event_type_is_stored_as_a_log_line() -> None:
    event = to_event(Message("n" * 300, "text", ""))
    assert event == NewEvent(event_type="log", payload={"message": "text"})


@pytest.mark.parametrize(
    ("name", "data", "occurred_at"),
    [
        ("log", f"{TIME} compiled 3 files", TIME),
        ("log", "2026-11-21T15:02:07.123456+01:00 compiled 3 files", TIME),
        ("log", "2026-11-21T14:02:07 a time without a zone", None),
        ("log", "no time at all", None),
        ("message", f'{{"event_type": "log", "created_at": "{TIME}"}}', TIME),
        ("message", f'{{"event_type": "log", "created_at": "{TIME}", "occurred_at": "2020-01-01T00:00:00Z"}}', "2020"),
        ("message", '{"event_type": "log", "created_at": "noon"}', None),
    ],
)
def test_occurred_at_is_the_upstreams_time(name: str, data: str, occurred_at: str | None) -> None:
    event = to_event(Message(name, data, ""))
    assert event is not None
    assert event.event_type == "log"
    assert (event.occurred_at or "").startswith(occurred_at or "")
    assert (event.occurred_at is None) == (occurred_at is None)
