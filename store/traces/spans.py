"""A span as events: `span_start` when it starts, its own events, and `span_end`.

`span_end` says everything that `span_start` says, so a span that is reported only when it has ended has one event.
"""

from __future__ import annotations

from typing import Any

from signalbox.store.emitter.fit_payload import fitting, number
from signalbox.store.events import NewEvent
from signalbox.store.terminal_escapes import plain
from signalbox.store.times import from_nanoseconds
from signalbox.store.traces.exceptions import EXCEPTION, exception_payload, named_exception
from signalbox.store.traces.logs import level_of
from signalbox.store.traces.tasks import service_of
from signalbox.store.traces.values import SpanEvent, TraceSpan
from signalbox.store.traces.work_types import work_type_of

ACTOR = "otel"

PENDING, LOG = "pending_span", "log"
"""Values of Logfire's attribute `logfire.span_type`: a span that has just started, and a log line as a span."""

SPAN_TYPE, PENDING_PARENT = "logfire.span_type", "logfire.pending_parent_id"

MAX_ERROR_CHARS = 4000


def events_of_span(span: TraceSpan) -> list[NewEvent]:
    """Return the events of a span that a program has exported, in the order of their times.

    A span that Logfire exports at its start becomes `span_start` of the span for which it stands, and a log line of
    Logfire becomes a log line of its parent.
    """
    span_type = span.attributes.get(SPAN_TYPE)
    if span_type == PENDING and span.parent_span_id:
        return [start_event(_pending(span))]
    if span_type == LOG and span.parent_span_id:
        return [_log_line(span, span.parent_span_id), *map_events(span, span.parent_span_id)]
    return end_events(span) if span.ended_ns else [start_event(span)]


def start_event(span: TraceSpan) -> NewEvent:
    """Return the event `span_start` of a span that runs."""
    return _fitted(
        NewEvent(
            event_type="span_start",
            actor=ACTOR,
            span_id=span.span_id,
            parent_span_id=_parent(span),
            payload=_described(span),
            key=f"otel:{span.trace_id}:{span.span_id}:start",
            occurred_at=from_nanoseconds(span.started_ns),
        )
    )


def end_events(span: TraceSpan) -> list[NewEvent]:
    """Return the events of a span that has ended: those within the span, and `span_end`."""
    payload = _described(span)
    if started := from_nanoseconds(min(span.started_ns, span.ended_ns or span.started_ns)):
        payload["started_at"] = started
    if span.status != "unset":
        payload["status"] = span.status
    if span.status == "error":
        payload |= _error(span)
    if span.links:
        payload["links"] = [
            {"trace_id": link.trace_id, "span_id": link.span_id}
            | ({"attributes": link.attributes} if link.attributes else {})
            for link in span.links
        ]
    if span.dropped:
        payload["dropped"] = span.dropped
    end = NewEvent(
        event_type="span_end",
        actor=ACTOR,
        span_id=span.span_id,
        parent_span_id=_parent(span),
        payload=payload,
        key=f"otel:{span.trace_id}:{span.span_id}:end",
        occurred_at=from_nanoseconds(max(span.ended_ns, span.started_ns)),
    )
    return [*map_events(span, span.span_id), _fitted(end)]


def map_events(span: TraceSpan, span_id: str) -> list[NewEvent]:
    """Return the events within a span, as events of the span `span_id`."""
    return [
        _fitted(
            NewEvent(
                event_type=event.name if event.name.startswith("gen_ai.") else "log",
                actor=ACTOR,
                span_id=span_id,
                payload=_event_payload(event),
                key=f"otel:{span.trace_id}:{span.span_id}:event:{place}",
                occurred_at=from_nanoseconds(event.time_ns),
            )
        )
        for place, event in sorted(enumerate(span.events), key=lambda one: one[1].time_ns)
    ]


def _described(span: TraceSpan) -> dict[str, Any]:
    message = span.attributes.get("logfire.msg")
    payload: dict[str, Any] = {
        "name": message if isinstance(message, str) and message else span.name or "unnamed span",
        "work_type": work_type_of(span),
        "span_kind": span.kind,
        "trace_id": span.trace_id,
    }
    if service := service_of(span.resource):
        payload["service"] = service
    if span.attributes:
        payload["attributes"] = span.attributes
    if span.resource:
        payload["resource"] = span.resource
    if span.scope.name:
        payload["scope"] = f"{span.scope.name} {span.scope.version}".strip()
    if span.trace_state:
        payload["trace_state"] = span.trace_state
    return payload


def _error(span: TraceSpan) -> dict[str, Any]:
    """Return the fields that say why a span has failed: its status message, else its last exception."""
    raised = next((event for event in reversed(span.events) if event.name == EXCEPTION), None)
    thrown, reason = named_exception(raised.attributes) if raised else ("", "")
    http = number(span.attributes.get("http.response.status_code", span.attributes.get("http.status_code")))
    code = thrown or span.attributes.get("error.type") or (f"HTTP {http:g}" if http else "error")
    message = span.status_message or reason
    return {"error_code": str(code)[:256], **({"message": message[:MAX_ERROR_CHARS]} if message else {})}


def _event_payload(event: SpanEvent) -> dict[str, Any]:
    if event.name == EXCEPTION:
        return {**exception_payload(event.attributes), "level": "error"}
    if event.name.startswith("gen_ai."):
        return {"attributes": event.attributes, **_body(event)}
    return {"message": event.name, **({"attributes": event.attributes} if event.attributes else {})}


def _body(event: SpanEvent) -> dict[str, Any]:
    """Return the message of an older event about a model call, whose attributes are its body."""
    return {name: value for name, value in event.attributes.items() if "." not in name}


def _parent(span: TraceSpan) -> str | None:
    return span.parent_span_id if span.parent_span_id != span.span_id else None


def _pending(span: TraceSpan) -> TraceSpan:
    """Return the span for which a pending span of Logfire stands: its parent, which has just started."""
    above = str(span.attributes.get(PENDING_PARENT, ""))
    hidden = (SPAN_TYPE, PENDING_PARENT)
    return TraceSpan(
        trace_id=span.trace_id,
        span_id=span.parent_span_id or span.span_id,
        parent_span_id=above if above.strip("0") else None,
        name=span.name,
        kind=span.kind,
        started_ns=span.started_ns,
        attributes={name: value for name, value in span.attributes.items() if name not in hidden},
        resource=span.resource,
        scope=span.scope,
        trace_state=span.trace_state,
    )


def _log_line(span: TraceSpan, parent: str) -> NewEvent:
    attributes = {name: value for name, value in span.attributes.items() if not name.startswith("logfire.")}
    severity = number(span.attributes.get("logfire.level_num")) or 0
    payload = {
        "message": plain(str(span.attributes.get("logfire.msg") or span.name)),
        "level": level_of(int(severity), ""),
        **({"attributes": attributes} if attributes else {}),
    }
    return _fitted(
        NewEvent(
            event_type="log",
            actor=ACTOR,
            span_id=parent,
            payload=payload,
            key=f"otel:{span.trace_id}:{span.span_id}:log",
            occurred_at=from_nanoseconds(span.started_ns),
        )
    )


def _fitted(event: NewEvent) -> NewEvent:
    """Return the event with a payload of an allowed size. Its ids are valid already."""
    return fitting(event)
