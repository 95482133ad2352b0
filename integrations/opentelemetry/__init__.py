"""OpenTelemetry: the spans of a Python program, shown while they run.

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from signalbox.integrations.opentelemetry import SignalboxSpanProcessor

provider = TracerProvider()
provider.add_span_processor(SignalboxSpanProcessor())
trace.set_tracer_provider(provider)

An OTLP exporter may report the same spans: the events have the same keys, so nothing is stored or counted twice.
"""

from __future__ import annotations

from signalbox.integrations.opentelemetry.context import run_context
from signalbox.integrations.opentelemetry.processor import SignalboxSpanProcessor

__all__ = ["SignalboxSpanProcessor", "run_context"]
