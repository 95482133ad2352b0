"""Requests in OTLP's protobuf encoding, read with the library `opentelemetry-proto`, the extra `otlp`."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import Any

from signalbox.store.traces import LogRecord, Scope, SpanEvent, SpanLink, TraceSpan
from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.refusals import ExtraMissing
from signalbox.webapp.otlp.protobuf_pieces import RECORD, RESOURCE, SCOPE, SPAN, RequestPieces, Shape
from signalbox.webapp.otlp.received import (
    MAX_FIELDS_OF_ONE,
    Received,
    kind_of,
    resource_of,
    scope_of,
    status_of,
    without_zeros,
)


class ProtobufMissing(ExtraMissing):
    """The library that reads protobuf is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "this server cannot read OTLP in protobuf, because the extra `otlp` is not installed: install"
            ' "signalbox-console[otlp]" and restart it, or send JSON (OTEL_EXPORTER_OTLP_PROTOCOL=http/json)'
        )


def spans_in(body: bytes) -> Received:
    """Return the spans of an `ExportTraceServiceRequest`. Raises BadRequest and ProtobufMissing."""
    try:
        from opentelemetry.proto.trace.v1.trace_pb2 import Span
    except ImportError:
        raise ProtobufMissing from None
    received = Received()
    for message, resource, scope in _messages("ExportTraceServiceRequest", body, SPAN, received, "span"):
        received.add_span(_span(_parsed(Span, message), resource, scope))
    return received


def records_in(body: bytes) -> Received:
    """Return the log records of an `ExportLogsServiceRequest`. Raises BadRequest and ProtobufMissing."""
    try:
        from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord as Record
    except ImportError:
        raise ProtobufMissing from None
    received = Received()
    for message, resource, scope in _messages("ExportLogsServiceRequest", body, RECORD, received, "log record"):
        received.add_record(_record(_parsed(Record, message), resource, scope))
    return received


def _messages(
    name: str, body: bytes, shape: Shape, received: Received, what: str
) -> Iterator[tuple[memoryview, dict[str, Any], Scope]]:
    """Yield each span or log record of a request with its resource and scope. Those with too many fields are rejected.

    The requests of both kinds have the same numbers of fields: 1 is the list of resources, in which 1 is the resource
    and 2 the list of scopes, in which 1 is the scope and 2 the list of spans or log records.
    """
    from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource

    pieces = RequestPieces(name)
    for of_resource in pieces.inside(memoryview(body), 1):
        found = _checked(pieces, pieces.joined(of_resource, 1), RESOURCE, Resource)
        resource = resource_of(_attributes(found.attributes))
        for of_scope in pieces.inside(of_resource, 2):
            found = _checked(pieces, pieces.joined(of_scope, 1), SCOPE, InstrumentationScope)
            scope = scope_of(found.name, found.version)
            for message in pieces.inside(of_scope, 2):
                received.expect()
                if pieces.is_bounded(message, shape):
                    yield message, resource, scope
                else:
                    received.reject_dense(what)


def _checked(pieces: RequestPieces, message: memoryview, shape: Shape, kind: Any) -> Any:
    if not pieces.is_bounded(message, shape):
        raise BadRequest(f"a {kind.__name__} may have at most {MAX_FIELDS_OF_ONE:,} fields, with those in it")
    return _parsed(kind, message)


def _parsed(kind: Any, message: memoryview) -> Any:
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        return kind.FromString(bytes(message))
    except DecodeError as error:
        raise BadRequest(f"the body has no valid {kind.__name__} in protobuf: {error}") from None


def _span(span: Any, resource: dict[str, Any], scope: Scope) -> TraceSpan:
    return TraceSpan(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_span_id=span.parent_span_id.hex() or None,
        name=span.name,
        kind=kind_of(span.kind),
        started_ns=span.start_time_unix_nano,
        ended_ns=span.end_time_unix_nano,
        status=status_of(span.status.code),
        status_message=span.status.message,
        attributes=_attributes(span.attributes),
        events=tuple(
            SpanEvent(name=event.name, time_ns=event.time_unix_nano, attributes=_attributes(event.attributes))
            for event in span.events
        ),
        links=tuple(
            SpanLink(trace_id=link.trace_id.hex(), span_id=link.span_id.hex(), attributes=_attributes(link.attributes))
            for link in span.links
        ),
        resource=resource,
        scope=scope,
        trace_state=span.trace_state,
        dropped=without_zeros(
            {
                "attributes": span.dropped_attributes_count,
                "events": span.dropped_events_count,
                "links": span.dropped_links_count,
            }
        ),
    )


def _record(record: Any, resource: dict[str, Any], scope: Scope) -> LogRecord:
    return LogRecord(
        trace_id=record.trace_id.hex(),
        span_id=record.span_id.hex(),
        time_ns=record.time_unix_nano,
        observed_ns=record.observed_time_unix_nano,
        severity=record.severity_number,
        severity_text=record.severity_text,
        event_name=getattr(record, "event_name", ""),
        body=_any_value(record.body),
        attributes=_attributes(record.attributes),
        resource=resource,
        scope=scope,
    )


def _attributes(pairs: Iterable[Any]) -> dict[str, Any]:
    return {pair.key: _any_value(pair.value) for pair in pairs}


def _any_value(value: Any) -> Any:
    """Return an attribute value as a JSON value. Bytes become base64."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_any_value(one) for one in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    found = getattr(value, kind)
    return b64encode(found).decode() if isinstance(found, bytes) else found
