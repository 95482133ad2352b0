"""OpenTelemetry's spans and log records as events: pure functions, without its libraries.

A span of a trace becomes the events `span_start` and `span_end`, with the span's own times. The receiver of OTLP and
the span processor of Python programs both use this package, so they give the same events with the same idempotency
keys, and a span that arrives in both ways counts once.

    from signalbox.store.traces import Scope, TraceSpan, end_events, start_event, task_id_of_trace

    store.append(task_id_of_trace(span.trace_id), start_event(span))     # when the span starts
    store.append(task_id_of_trace(span.trace_id), end_events(span))      # when it has ended
"""

from signalbox.store.traces.logs import log_event
from signalbox.store.traces.spans import end_events, events_of_span, start_event
from signalbox.store.traces.tasks import task_id_of_logs, task_id_of_trace
from signalbox.store.traces.values import LogRecord, Scope, SpanEvent, SpanLink, TraceSpan

__all__ = [
    "LogRecord",
    "Scope",
    "SpanEvent",
    "SpanLink",
    "TraceSpan",
    "end_events",
    "events_of_span",
    "log_event",
    "start_event",
    "task_id_of_logs",
    "task_id_of_trace",
]
