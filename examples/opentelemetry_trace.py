"""A program that reports with OpenTelemetry alone: it imports nothing of Signalbox.

    pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http
    export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:8000
    python examples/opentelemetry_trace.py

If the server has accounts or tokens, also: export OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20YOUR_TOKEN"
"""

import json
import time

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider(resource=Resource.create({"service.name": "gift-shop"}))
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("gift-shop")


def ask_model(question: str) -> str:
    """Pretend to call a model, and report the call by the conventions for generative AI."""
    with tracer.start_as_current_span("chat small-model") as span:
        time.sleep(0.1)
        answer = "A red scarf."
        said = [{"role": "assistant", "parts": [{"type": "text", "content": answer}]}]
        span.set_attributes(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": "small-model",
                "gen_ai.usage.input_tokens": 48,
                "gen_ai.usage.output_tokens": 6,
                "gen_ai.input.messages": json.dumps(
                    [{"role": "user", "parts": [{"type": "text", "content": question}]}]
                ),
                "gen_ai.output.messages": json.dumps(said),
            }
        )
        return answer


def reserve(article: str) -> None:
    """Fail, to show an exception."""
    with tracer.start_as_current_span("reserve") as span:
        span.set_attribute("article", article)
        raise ValueError(f"out of stock: {article}")


with tracer.start_as_current_span("POST /gifts", kind=trace.SpanKind.SERVER) as root:
    root.add_event("basket loaded", {"articles": 3})
    with tracer.start_as_current_span("SELECT articles", kind=trace.SpanKind.CLIENT) as query:
        query.set_attribute("db.system.name", "postgresql")
        time.sleep(0.05)
    gift = ask_model("Which gift fits to a blue coat?")
    try:
        reserve(gift)
    except ValueError:
        root.add_event("offered another gift")
    print(trace.format_trace_id(root.get_span_context().trace_id))

provider.shutdown()
