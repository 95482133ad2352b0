"""Starts and stops the reporting of one process. The standard `OTEL_…` variables say where to report, and how much."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from contextlib import suppress

from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from quart import Quart

from signalbox.store import Store
from signalbox.webapp import __version__
from signalbox.webapp.live.stats import Stats
from signalbox.webapp.telemetry.internal_spans import observe_frames, observe_store
from signalbox.webapp.telemetry.log_records import OtlpLogHandler
from signalbox.webapp.telemetry.request_spans import RequestSpans

SHARE = 0.1
"""The share of traces that are reported, unless `OTEL_TRACES_SAMPLER` says otherwise."""

STOP_TIMEOUT_S = 2.0
"""Seconds for which a stopping server waits for the last batches."""

QUIET_S = 60.0
"""Seconds between two warnings that the collector is away."""


class Telemetry:
    """The reporting of one process, from the start of its app to the end."""

    def __init__(self, process_id: str) -> None:
        resource = Resource.create({"service.version": __version__, "service.instance.id": process_id})
        if resource.attributes.get("service.name", "").startswith("unknown_service"):  # type: ignore[union-attr]
            resource = resource.merge(Resource({"service.name": "signalbox"}))
        sampler = None if os.environ.get("OTEL_TRACES_SAMPLER") else ParentBased(TraceIdRatioBased(SHARE))
        self._tracers = TracerProvider(resource=resource, sampler=sampler, shutdown_on_exit=False)
        self._loggers = LoggerProvider(resource=resource, shutdown_on_exit=False)
        if _wants("OTEL_TRACES_EXPORTER"):
            self._tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._handler: OtlpLogHandler | None = None
        if _wants("OTEL_LOGS_EXPORTER"):
            self._loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
            self._handler = OtlpLogHandler(self._loggers.get_logger("signalbox", __version__))
            logging.getLogger().addHandler(self._handler)
        self._filter = SeldomFilter()
        for handler in logging.getLogger().handlers:
            handler.addFilter(self._filter)
        self.tracer = self._tracers.get_tracer("signalbox", __version__)

    def attach(self, app: Quart) -> None:
        """Report the requests of an app."""
        RequestSpans(self.tracer).install(app)

    def observe(self, store: Store, stats: Stats) -> None:
        """Report the appends of requests to a store, and the frames of streams."""
        observe_store(store, self.tracer)
        observe_frames(stats, self.tracer)

    async def stop(self) -> None:
        """Send the last batches, for at most `STOP_TIMEOUT_S`, and end."""
        if self._handler is not None:
            logging.getLogger().removeHandler(self._handler)
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def shut_down() -> None:
            self._tracers.shutdown()
            self._loggers.shutdown()
            with suppress(RuntimeError):  # The loop is closed after the timeout.
                loop.call_soon_threadsafe(ended.set)

        # A daemon thread, because a collector that does not answer must not hold up the end of the process.
        threading.Thread(target=shut_down, name="signalbox-telemetry", daemon=True).start()
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), STOP_TIMEOUT_S)
        for handler in logging.getLogger().handlers:
            handler.removeFilter(self._filter)


class SeldomFilter(logging.Filter):
    """Lets one message of OpenTelemetry's SDK pass in `QUIET_S` seconds: it logs each batch that it cannot send."""

    def __init__(self) -> None:
        super().__init__()
        self._next = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is logged."""
        if not record.name.startswith("opentelemetry."):
            return True
        now = time.monotonic()
        passes = now >= self._next
        if passes:
            self._next = now + QUIET_S
        return passes


def _wants(variable: str) -> bool:
    return os.environ.get(variable, "otlp").strip().lower() != "none"
