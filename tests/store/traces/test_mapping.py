"""Test the events that spans and log records become."""

from __future__ import annotations

import msgspec

from signalbox.store.events import MAX_PAYLOAD_BYTES, check_event
from signalbox.store.traces import (
    LogRecord,
    SpanEvent,
    TraceSpan,
    end_events,
    events_of_span,
    log_event,
    task_id_of_logs,
)
from tests.support.traces import MS, NOON, TRACE, fold_spans, span_id


def span(**fields: object) -> TraceSpan:
    given = {"trace_id": TRACE, "span_id": span_id(1), "name": "work", "started_ns": NOON, "ended_ns": NOON + 5 * MS}
    return msgspec.convert(given | fields, TraceSpan)


def test_a_span_keeps_its_own_times() -> None:
    state = fold_spans([span()])
    folded = state.spans[span_id(1)]
    assert (folded.started_at, folded.ended_at) == ("2025-11-20T12:00:00.000000Z", "2025-11-20T12:00:00.005000Z")
    assert state.task.started_at == folded.started_at


def test_times_that_make_no_sense_still_give_a_span() -> None:
    for times in (
        {"started_ns": 0, "ended_ns": 0},
        {"started_ns": 0},
        {"ended_ns": NOON - MS},
        {"ended_ns": 2**64 - 1},
    ):
        state = fold_spans([span(**times)])
        folded = state.spans[span_id(1)]
        assert folded.ended_at is None or folded.ended_at >= folded.started_at


def test_an_exception_is_an_error_with_its_traceback_before_the_end_of_the_span() -> None:
    raised = {
        "exception.type": "builtins.ValueError",
        "exception.message": "bad",
        "exception.stacktrace": "Traceback (most recent call last):\n  File x\nValueError: bad\n",
    }
    error, end = end_events(
        span(status="error", events=[{"name": "exception", "time_ns": NOON + MS, "attributes": raised}])
    )
    assert (error.event_type, error.payload["level"], error.payload["exception"]) == ("log", "error", "ValueError")
    assert error.payload["message"].endswith("ValueError: bad")
    assert (end.payload["error_code"], end.payload["message"]) == ("ValueError", "bad")


def test_a_failed_span_without_a_message_says_which_status_it_had() -> None:
    (end,) = end_events(span(status="error", attributes={"http.response.status_code": 503}))
    assert end.payload["error_code"] == "HTTP 503"


def test_a_span_with_huge_attributes_is_cut_to_an_allowed_size() -> None:
    huge = {"prompt": "x" * 2_000_000, "list": ["y" * 100] * 10_000, "small": 1}
    (end,) = end_events(span(attributes=huge))
    assert len(check_event(end)) <= MAX_PAYLOAD_BYTES
    assert end.payload["name"] == "work"
    assert end.payload["truncated"] > 2_000_000


def test_hostile_names_are_stored_and_do_not_break_the_title() -> None:
    for name in ("", "\0", "a\nb", "\u2028", "x" * 10_000, "<b>"):
        state = fold_spans([span(name=name, resource={"service.name": name})])
        assert state.task.title
        for event in end_events(span(name=name)):
            check_event(event)


def test_a_service_cannot_take_a_kind_of_the_server() -> None:
    assert fold_spans([span(resource={"service.name": "agent"})]).task.kind is None


def test_a_span_that_is_its_own_parent_is_a_root_span() -> None:
    state = fold_spans([span(parent_span_id=span_id(1))])
    assert state.spans[span_id(1)].parent_span_id is None
    assert state.task.title == "work"


def test_a_log_line_of_logfire_belongs_to_its_parent() -> None:
    attributes = {"logfire.span_type": "log", "logfire.msg": "hello 7", "logfire.level_num": 13, "n": 7}
    (line,) = events_of_span(span(parent_span_id=span_id(2), attributes=attributes))
    assert (line.event_type, line.span_id, line.payload["message"]) == ("log", span_id(2), "hello 7")
    assert (line.payload["level"], line.payload["attributes"]) == ("warning", {"n": 7})


def test_an_older_event_about_a_model_call_is_a_message() -> None:
    told = SpanEvent(name="gen_ai.user.message", attributes={"content": "Hello?"})
    event, _ = end_events(msgspec.structs.replace(span(), events=(told,)))
    assert (event.event_type, event.payload["content"]) == ("gen_ai.user.message", "Hello?")


def test_a_log_record_has_a_level_a_message_and_its_attributes() -> None:
    def record(**fields: object) -> dict[str, object]:
        return log_event(msgspec.convert(fields, LogRecord)).payload

    assert record(body="hi", severity=9)["level"] == "info"
    assert record(body="hi", severity=24)["level"] == "critical"
    assert record(body="hi", severity_text="WARN")["level"] == "warn"
    assert record(body={"a": 1})["message"] == '{"a":1}'
    assert record(body=None, event_name="device.started")["message"] == "device.started"
    assert record(body="hi", attributes={"user": "u"})["attributes"] == {"user": "u"}


def test_equal_records_have_equal_keys_and_different_ones_have_others() -> None:
    one, same = LogRecord(time_ns=NOON, body="hi"), LogRecord(time_ns=NOON, body="hi")
    assert log_event(one).key == log_event(same).key != log_event(LogRecord(time_ns=NOON + 1, body="hi")).key
    assert log_event(one, 1).key != log_event(one).key


def test_service_instances_have_tasks_of_their_own() -> None:
    first = task_id_of_logs({"service.name": "shop", "service.instance.id": "a"})
    assert first == task_id_of_logs({"service.name": "shop", "service.instance.id": "a", "telemetry.sdk.name": "x"})
    assert first != task_id_of_logs({"service.name": "shop", "service.instance.id": "b"})
