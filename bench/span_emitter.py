"""A program with OpenTelemetry and our span processor, in a process of its own.

It prints the task of its trace, reads commands as JSON lines, `{"rate": spans/s, "seconds": s}`, and answers each with
the number of spans that it started, each of which runs for some seconds. With `--cost` it prints the CPU time of a span
instead, in microseconds: without a processor, and with ours.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import deque
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Span, Tracer, format_trace_id, set_span_in_context

from signalbox.integrations.opentelemetry import SignalboxSpanProcessor

OPEN_S = 3.0
"""Seconds for which a span runs: it must be seen long before its end."""

COST_SPANS = 4_000
"""Spans of a measurement of the cost, fewer than the processor holds."""


def emit(tracer: Tracer, root: Span, rate: float, seconds: float) -> dict[str, Any]:
    """Start `rate` spans a second below `root`, named after the time of their start in microseconds."""
    began, running, started = time.monotonic(), deque[tuple[float, Span]](), 0
    while (due := began + started / rate) < began + seconds:
        time.sleep(max(0.0, due - time.monotonic()))
        span = tracer.start_span(f"job t_us={time.time_ns() // 1000}", set_span_in_context(root))
        running.append((time.monotonic(), span))
        started += 1
        while running[0][0] < time.monotonic() - OPEN_S:
            running.popleft()[1].end()
    while running:
        time.sleep(max(0.0, running[0][0] + OPEN_S - time.monotonic()))
        running.popleft()[1].end()
    return {"started": started}


def cost(store: str) -> dict[str, float]:
    """Return the CPU time of starting and ending a span in the program's own thread, in microseconds."""
    figures: dict[str, float] = {}
    for name in ("without", "with"):
        provider = TracerProvider()
        if name == "with":
            provider.add_span_processor(SignalboxSpanProcessor(store))
        tracer = provider.get_tracer("bench")
        began = time.thread_time()
        for _ in range(COST_SPANS):
            tracer.start_span("job").end()
        figures[name] = (time.thread_time() - began) / COST_SPANS * 1e6
        provider.shutdown()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", required=True, help="a store, or the URL of a server")
    parser.add_argument("--cost", action="store_true")
    options = parser.parse_args()
    if options.cost:
        print(json.dumps(cost(options.store)), flush=True)
        return
    provider = TracerProvider()
    provider.add_span_processor(SignalboxSpanProcessor(options.store))
    tracer = provider.get_tracer("bench")
    root = tracer.start_span("spans of the bench")
    provider.force_flush()
    print(json.dumps({"task": format_trace_id(root.get_span_context().trace_id)}), flush=True)
    for line in sys.stdin:
        print(json.dumps(emit(tracer, root, **json.loads(line))), flush=True)
    root.end()
    provider.shutdown()


if __name__ == "__main__":
    main()
