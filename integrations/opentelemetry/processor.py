"""The span processor: it reports spans to Signalbox when they start and when they end."""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from signalbox.integrations.opentelemetry.reading import trace_span
from signalbox.integrations.opentelemetry.waiting_spans import WaitingSpans
from signalbox.integrations.reporting.background import BackgroundWriter, background_writer, before_exit
from signalbox.integrations.reporting.daemon_thread import DaemonThread
from signalbox.integrations.reporting.target import current_task, target
from signalbox.store.identity import Reference, parse_reference
from signalbox.store.trace_context import PROJECT_ATTRIBUTE, TASK_ATTRIBUTE, named_task
from signalbox.store.traces import TraceSpan, end_events, start_event, task_id_of_trace

log = logging.getLogger("signalbox.integrations")

MAX_SPANS = 10_000
"""Spans that may wait for the thread of a processor."""

LINGER_S = 0.1
"""Seconds for which reports wait for others. A span that ends within them is reported once."""

FLUSH_TIMEOUT_S = 5.0
"""Seconds for which the end of the program waits at most for the last spans."""

MAX_CREATED = 1000
"""Tasks that a processor remembers to have created."""

OWN_THREADS = "signalbox-"
"""Prefix of the names of threads whose spans are not reported, because they come from reporting itself."""


class SignalboxSpanProcessor(SpanProcessor):
    """Reports the spans of a `TracerProvider` to Signalbox while they run.

    `store` and `server`, `token` and `project` say where to report, by default as the environment says (see
    `integrations.reporting.target`). Spans belong to the task that `store.trace_context` describes: that of the
    `signalbox run` around the program, else a task of their trace. With `task`, a run that `open_task` returned or a
    reference such as `nightly`, they all belong to that task, which must exist.

    No call waits for the store, and none raises an error of it. `counts` says how many spans were dropped.
    """

    _spans: WaitingSpans
    _dropped_reported: int
    _wake: threading.Event
    _reporting: threading.Lock
    _thread: DaemonThread

    def __init__(
        self,
        store: str | None = None,
        *,
        server: str | None = None,
        token: str | None = None,
        project: str | None = None,
        task: Any = None,
        max_spans: int = MAX_SPANS,
    ) -> None:
        chosen = target(store, server=server, token=token, project=project)
        self._task = parse_reference(str(getattr(task, "reference", task))) if task is not None else None
        around = current_task(chosen)
        self._around = Reference(*around) if around else None
        self._writer: BackgroundWriter = background_writer(chosen)
        self._max_spans = max_spans
        self._ended = False
        self._failed = 0
        self.start_over()
        _processors.add(self)

    # called by the SDK, in any thread

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Report that a span has started."""
        self._add(span, ended=False)

    def on_end(self, span: ReadableSpan) -> None:
        """Report that a span has ended."""
        self._add(span, ended=True)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until the spans of now are stored, for at most this time. Returns whether they are."""
        deadline = time.monotonic() + timeout_millis / 1000
        self._report(0, timeout=timeout_millis / 1000)
        return self._writer.flush(max(0.0, deadline - time.monotonic()), load_timeout=0.0)

    def shutdown(self) -> None:
        """Report the spans of now, wait for them at most `FLUSH_TIMEOUT_S`, and ignore later ones."""
        if not self._ended:
            self._ended = True
            self.force_flush(int(FLUSH_TIMEOUT_S * 1000))
            self._wake.set()

    @property
    def counts(self) -> dict[str, int]:
        """The numbers of spans that are `waiting`, were `dropped` for want of room, or `failed` to become events."""
        return {"waiting": len(self._spans), "dropped": self._spans.dropped, "failed": self._failed}

    def _add(self, span: ReadableSpan, *, ended: bool) -> None:
        try:
            context = span.get_span_context()
            if self._ended or context is None or not context.trace_flags.sampled:
                return
            if threading.current_thread().name.startswith(OWN_THREADS):
                return
            self._spans.add(span, ended=ended)
            self._thread.start()
            if not self._wake.is_set():
                self._wake.set()
        except Exception:
            self._failed += 1

    # the thread

    def _run(self) -> None:
        wake = self._wake
        while not self._ended:
            wake.wait()
            wake.clear()
            while len(self._spans) and not self._ended:
                time.sleep(LINGER_S)
                self._report(LINGER_S)

    def _report(self, min_age: float, timeout: float = -1) -> None:
        """Give the waiting spans to the writer, in order. Two threads must not do this at once."""
        if not self._reporting.acquire(timeout=timeout):
            return
        try:
            values: TraceSpan | None = None
            for span, ended in self._spans.take(min_age):
                try:
                    values = trace_span(span)
                    self._append(values, ended)
                except Exception as error:
                    self._failed += 1
                    log.debug("a span is not reported: %s", error, exc_info=True)
            if values is not None:
                self._report_dropped(values)
        finally:
            self._reporting.release()

    def _append(self, span: TraceSpan, ended: bool) -> None:
        task_id, identity = self._task_of(span)
        project = span.resource.get(PROJECT_ATTRIBUTE)
        if isinstance(project, str) and project and task_id == task_id_of_trace(span.trace_id):
            self._create_in(project, task_id)
        for event in end_events(span) if ended else [start_event(span)]:
            self._writer.append(
                task_id,
                event.event_type,
                event.payload,
                identity=identity,
                occurred_at=event.occurred_at,
                span_id=event.span_id,
                parent_span_id=event.parent_span_id,
                actor=event.actor,
                key=event.key,
            )

    def _create_in(self, project: str, task_id: str) -> None:
        """Create the task of a trace in the project that the resource names, unless it exists."""
        if task_id not in self._created:
            self._created[task_id] = None
            self._writer.create_task(task_id, project_id=project)
            if len(self._created) > MAX_CREATED:
                del self._created[next(iter(self._created))]

    def _task_of(self, span: TraceSpan) -> Reference:
        own = {TASK_ATTRIBUTE: span.attributes.get(TASK_ATTRIBUTE)}
        named = self._task or named_task(own) or named_task(span.resource, span.trace_state) or self._around
        return named or Reference(task_id_of_trace(span.trace_id), None)

    def _report_dropped(self, span: TraceSpan) -> None:
        number, self._dropped_reported = self._spans.dropped - self._dropped_reported, self._spans.dropped
        if number:
            spans = "1 report of a span was" if number == 1 else f"{number:,} reports of spans were"
            message = f"{spans} dropped, because too many were waiting to be sent"
            task_id, identity = self._task_of(span)
            payload = {"message": message, "level": "warning", "dropped": number}
            self._writer.append(task_id, "log", payload, identity=identity, actor="opentelemetry")

    # the end of the program, and fork

    def report_all(self) -> None:
        """Give all waiting spans to the writer."""
        self._report(0, timeout=FLUSH_TIMEOUT_S)

    def start_over(self) -> None:
        """Begin with no spans and no thread, at first and in a forked process. The parent's spans are the parent's."""
        self._spans = WaitingSpans(self._max_spans)
        self._dropped_reported = 0
        self._created: dict[str, None] = {}
        self._wake = threading.Event()
        self._reporting = threading.Lock()
        self._thread = DaemonThread(self._run, "signalbox-spans")


_processors: weakref.WeakSet[SignalboxSpanProcessor] = weakref.WeakSet()


def _report_all() -> None:
    for processor in list(_processors):
        processor.report_all()


def _after_fork_in_child() -> None:
    for processor in list(_processors):
        processor.start_over()


before_exit(_report_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
