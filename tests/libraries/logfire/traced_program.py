"""A program with Logfire that reports to the server at the given URL, and waits for a line within its spans."""

import sys

import logfire
from logfire._internal.exporters.remove_pending import RemovePendingSpansExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import BatchSpanProcessor

exporter = RemovePendingSpansExporter(OTLPSpanExporter(endpoint=sys.argv[1] + "/v1/traces"))
logfire.configure(
    send_to_logfire=False,
    console=False,
    service_name="planner",
    additional_span_processors=[BatchSpanProcessor(exporter, schedule_delay_millis=50)],
)
with logfire.span("plan the trip to {town}", town="Oslo"), logfire.span("look up trains"):
    logfire.warning("{count} trains only", count=2)
    sys.stdin.readline()
logfire.force_flush()
