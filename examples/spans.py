"""A program with OpenTelemetry, whose spans are on their page while they run: `python examples/spans.py`.

It needs the extra: `pip install 'signalbox-console[opentelemetry]'`.
"""

import time

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from signalbox.integrations.opentelemetry import SignalboxSpanProcessor, run_context

provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
provider.add_span_processor(SignalboxSpanProcessor())
trace.set_tracer_provider(provider)

tracer = trace.get_tracer("shop")
with tracer.start_as_current_span("checkout", run_context(), attributes={"cart.items": 3}):
    with tracer.start_as_current_span("reserve the items", kind=trace.SpanKind.CLIENT):
        time.sleep(0.3)
    with tracer.start_as_current_span("charge the card", kind=trace.SpanKind.CLIENT) as span:
        span.add_event("the bank asks again", {"attempt": 2})
        time.sleep(0.5)
    with tracer.start_as_current_span("send the receipt", kind=trace.SpanKind.PRODUCER):
        time.sleep(0.2)
