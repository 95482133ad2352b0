"""The trace of the run around this program, as a context of OpenTelemetry."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from signalbox.store.trace_context import TRACEPARENT, TRACESTATE


def run_context(run: Any = None) -> Context:
    """Return the context in which new spans continue the trace of a run.

    Without `run` it is the run around this program, by its variables `TRACEPARENT` and `TRACESTATE`; the context is
    empty if there is none. `run` is the handle that `open_task` returns, and the spans lie below its innermost step:

        with open_task(store, "nightly") as task, tracer.start_as_current_span("load", run_context(task)):
            …
    """
    variables: Mapping[str, str] = os.environ if run is None else run.trace_variables({})
    carrier = {name.lower(): variables[name] for name in (TRACEPARENT, TRACESTATE) if name in variables}
    return TraceContextTextMapPropagator().extract(carrier, Context())
