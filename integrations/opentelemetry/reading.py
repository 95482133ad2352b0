"""A span of OpenTelemetry's SDK as the values of `store.traces`."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, format_span_id, format_trace_id

from signalbox.store.traces import Scope, SpanEvent, SpanLink, TraceSpan

_KINDS: dict[SpanKind, Any] = {kind: kind.name.lower() for kind in SpanKind}
_ATTEMPTS = 3


def trace_span(span: ReadableSpan) -> TraceSpan:
    """Return the values of a span, which may still run in another thread."""
    context, scope, status = span.get_span_context(), span.instrumentation_scope, span.status
    if context is None:
        raise ValueError("a span without a context")
    dropped = {
        "attributes": span.dropped_attributes,
        "events": span.dropped_events,
        "links": span.dropped_links,
    }
    return TraceSpan(
        trace_id=format_trace_id(context.trace_id),
        span_id=format_span_id(context.span_id),
        parent_span_id=format_span_id(span.parent.span_id) if span.parent else None,
        name=span.name,
        kind=_KINDS.get(span.kind, "internal"),
        started_ns=span.start_time or 0,
        ended_ns=span.end_time or 0,
        status=status.status_code.name.lower(),  # type: ignore[arg-type]  # the names of StatusCode
        status_message=status.description or "",
        attributes=attributes_of(span.attributes),
        events=tuple(
            SpanEvent(name=event.name, time_ns=event.timestamp, attributes=attributes_of(event.attributes))
            for event in span.events
        ),
        links=tuple(
            SpanLink(
                trace_id=format_trace_id(link.context.trace_id),
                span_id=format_span_id(link.context.span_id),
                attributes=attributes_of(link.attributes),
            )
            for link in span.links
        ),
        resource=attributes_of(span.resource.attributes),
        scope=Scope(name=scope.name, version=scope.version or "") if scope else Scope(),
        trace_state=context.trace_state.to_header(),
        dropped={name: number for name, number in dropped.items() if number},
    )


def attributes_of(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return attributes as JSON values; bytes become base64, as in OTLP's JSON."""
    for _ in range(_ATTEMPTS):
        try:
            return {name: _value(value) for name, value in (attributes or {}).items()}
        except (RuntimeError, KeyError):  # The program has just added or removed an attribute.
            continue
    return {}


def _value(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list | tuple):
        return list(map(_value, value))
    if isinstance(value, Mapping):
        return {str(name): _value(item) for name, item in value.items()}
    return value
