"""Requests in OTLP/JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from signalbox.store.traces import LogRecord, Scope, SpanEvent, SpanLink, TraceSpan
from signalbox.webapp.http.json_density import TooDense
from signalbox.webapp.otlp.json_fields import (
    Object,
    any_value,
    attributes,
    enum,
    identifier,
    integer,
    object_in,
    objects,
    text,
)
from signalbox.webapp.otlp.json_pieces import Parts, object_of, parts_in, parts_of, values_in
from signalbox.webapp.otlp.received import Received, kind_of, resource_of, scope_of, status_of, without_zeros


def spans_in(body: bytes) -> Received:
    """Return the spans of an `ExportTraceServiceRequest`. Raises BadRequest."""
    received = Received()
    for of_resource, path in parts_in(parts_of(body).resource_spans, "resourceSpans"):
        resource = _resource(of_resource, path)
        for of_scope, scope_path in parts_in(of_resource.scope_spans, f"{path}scopeSpans"):
            scope = _scope(of_scope, scope_path)
            for span, span_path in _objects(received, of_scope.spans, f"{scope_path}spans", "span"):
                received.add_span(_span(span, span_path, resource, scope))
    return received


def records_in(body: bytes) -> Received:
    """Return the log records of an `ExportLogsServiceRequest`. Raises BadRequest."""
    received = Received()
    for of_resource, path in parts_in(parts_of(body).resource_logs, "resourceLogs"):
        resource = _resource(of_resource, path)
        for of_scope, scope_path in parts_in(of_resource.scope_logs, f"{path}scopeLogs"):
            scope = _scope(of_scope, scope_path)
            for record, record_path in _objects(
                received, of_scope.log_records, f"{scope_path}logRecords", "log record"
            ):
                received.add_record(_record(record, record_path, resource, scope))
    return received


def _objects(received: Received, value: msgspec.Raw, path: str, what: str) -> Iterator[tuple[Object, str]]:
    """Yield the spans or log records in a list, without those that have too many fields."""
    values = values_in(value, path)
    received.expect(len(values))
    for place, one in enumerate(values):
        where = f"{path}[{place}]"
        try:
            yield object_of(one, where), f"{where}."
        except TooDense:
            received.reject_dense(what)


def _resource(parent: Parts, path: str) -> dict[str, Any]:
    resource = object_of(parent.resource, f"{path}resource", optional=True)
    return resource_of(attributes(resource, "attributes", f"{path}resource."))


def _scope(parent: Parts, path: str) -> Scope:
    scope, inside = object_of(parent.scope, f"{path}scope", optional=True), f"{path}scope."
    return scope_of(text(scope, "name", inside), text(scope, "version", inside))


def _span(span: Object, path: str, resource: dict[str, Any], scope: Scope) -> TraceSpan:
    status, inside = object_in(span, "status", path), f"{path}status."
    return TraceSpan(
        trace_id=identifier(span, "traceId", path),
        span_id=identifier(span, "spanId", path),
        parent_span_id=identifier(span, "parentSpanId", path) or None,
        name=text(span, "name", path),
        kind=kind_of(enum(span, "kind", path)),
        started_ns=integer(span, "startTimeUnixNano", path),
        ended_ns=integer(span, "endTimeUnixNano", path),
        status=status_of(enum(status, "code", inside)),
        status_message=text(status, "message", inside),
        attributes=attributes(span, "attributes", path),
        events=tuple(_event(event, where) for event, where in objects(span, "events", path)),
        links=tuple(_link(link, where) for link, where in objects(span, "links", path)),
        resource=resource,
        scope=scope,
        trace_state=text(span, "traceState", path),
        dropped=without_zeros(
            {
                "attributes": integer(span, "droppedAttributesCount", path),
                "events": integer(span, "droppedEventsCount", path),
                "links": integer(span, "droppedLinksCount", path),
            }
        ),
    )


def _event(event: Object, path: str) -> SpanEvent:
    return SpanEvent(
        name=text(event, "name", path),
        time_ns=integer(event, "timeUnixNano", path),
        attributes=attributes(event, "attributes", path),
    )


def _link(link: Object, path: str) -> SpanLink:
    return SpanLink(
        trace_id=identifier(link, "traceId", path),
        span_id=identifier(link, "spanId", path),
        attributes=attributes(link, "attributes", path),
    )


def _record(record: Object, path: str, resource: dict[str, Any], scope: Scope) -> LogRecord:
    return LogRecord(
        trace_id=identifier(record, "traceId", path),
        span_id=identifier(record, "spanId", path),
        time_ns=integer(record, "timeUnixNano", path),
        observed_ns=integer(record, "observedTimeUnixNano", path),
        severity=enum(record, "severityNumber", path),
        severity_text=text(record, "severityText", path),
        event_name=text(record, "eventName", path),
        body=any_value(object_in(record, "body", path), f"{path}body."),
        attributes=attributes(record, "attributes", path),
        resource=resource,
        scope=scope,
    )
