"""The tracing processor for the OpenAI Agents SDK."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import OrderedDict
from typing import Any

from agents.tracing import TracingProcessor

from signalbox.integrations.openai_agents.messages import question_in
from signalbox.integrations.openai_agents.spans import INVISIBLE, call_of, ended, error_of, name_of, started
from signalbox.integrations.reporting.background import background_writer
from signalbox.integrations.reporting.target import target
from signalbox.integrations.reporting.traces.harmless import harmless
from signalbox.integrations.reporting.traces.traced_task import TracedTask, error_fields, open_trace
from signalbox.integrations.reporting.traces.values import plain, title_of

LIBRARY = "openai-agents"
MAX_TRACES = 1000
"""Traces that are open at the same time. The oldest one is forgotten, so traces that never end use no memory."""

DEFAULT_NAME = "Agent workflow"
"""The name of a trace for which the program chose none. The title is then its first agent, and later the question."""


class SignalboxTracingProcessor(TracingProcessor):
    """Reports each trace as a task, or as a step of the run in which it happens.

    add_trace_processor(SignalboxTracingProcessor())

    `store`, `server`, `token` and `project` say where to report; without them the environment does. The SDK's own
    processor, which sends traces to OpenAI, stays unless `set_trace_processors` replaces it.
    """

    def __init__(
        self,
        store: str | None = None,
        *,
        server: str | None = None,
        token: str | None = None,
        project: str | None = None,
    ) -> None:
        self._writer = background_writer(target(store, server=server, token=token, project=project))
        self._traces: OrderedDict[str, _OpenTrace] = OrderedDict()
        self._lock = threading.Lock()

    @harmless
    def on_trace_start(self, trace: Any) -> None:
        exported = trace.export() or {}
        metadata = {
            "trace_id": trace.trace_id,
            "group_id": exported.get("group_id"),
            **(exported.get("metadata") or {}),
        }
        self._open(trace.trace_id, trace.name, metadata)

    @harmless
    def on_trace_end(self, trace: Any) -> None:
        with self._lock:
            found = self._traces.pop(trace.trace_id, None)
        if found is not None:
            found.end(sys.exc_info()[1])

    @harmless
    def on_span_start(self, span: Any) -> None:
        found = self._traces.get(span.trace_id)
        if found is None:
            # A run that is resumed from a saved state reports only its spans.
            found = self._open(span.trace_id, DEFAULT_NAME, {}, resumed=True)
        found.span_started(span)

    @harmless
    def on_span_end(self, span: Any) -> None:
        found = self._traces.get(span.trace_id)
        if found is None:
            return
        found.span_ended(span, sys.exc_info()[1])
        if found.is_resumed and not found.open_spans:
            with self._lock:
                self._traces.pop(span.trace_id, None)
            found.end(sys.exc_info()[1])

    @harmless
    def force_flush(self) -> None:
        self._writer.flush()

    @harmless
    def shutdown(self) -> None:
        self._writer.flush()

    def _open(self, trace_id: str, name: str, metadata: dict[str, Any], *, resumed: bool = False) -> _OpenTrace:
        task = open_trace(self._writer, trace_id, title=name, kind=LIBRARY)
        opened = _OpenTrace(task, name, metadata, resumed=resumed)
        with self._lock:
            self._traces[trace_id] = opened
            while len(self._traces) > MAX_TRACES:
                self._traces.popitem(last=False)
        return opened


class _OpenTrace:
    """A trace between its start and its end."""

    def __init__(self, task: TracedTask, name: str, metadata: dict[str, Any], *, resumed: bool) -> None:
        self.is_resumed = resumed
        self.open_spans = 0
        self._task, self._name, self._metadata = task, name, metadata
        self._begun = False
        self._has_title = name != DEFAULT_NAME or not task.is_own
        self._usage: dict[str, int] = {}
        self._error: dict[str, Any] | None = None
        # An exception that the program was already handling is not one of the trace.
        self._handled = sys.exc_info()[1]
        self._parents: dict[str, str | None] = {}

    def span_started(self, span: Any) -> None:
        self.open_spans += 1
        data, parent = span.span_data, self._parents.get(span.parent_id, span.parent_id)
        if data.type in INVISIBLE:
            self._parents[span.span_id] = parent
            return
        if not self._begun:
            self._begin(name_of(data))
        if parent is None:
            self._error = None
        started(self._task, span, parent)

    def span_ended(self, span: Any, raised: BaseException | None) -> None:
        self.open_spans -= 1
        data, parent = span.span_data, self._parents.get(span.parent_id, span.parent_id)
        error = error_of(span, None if raised is self._handled else raised)
        if data.type in INVISIBLE:
            self._parents.pop(span.span_id, None)
            if data.type == "task":
                self._add_usage(data.usage)
            elif span.error and error:
                self._task.line(error["message"], parent, level="error")
            return
        ended(self._task, span, parent, error)
        if not self._has_title and data.type in ("generation", "response"):
            self._set_title(data)
        if parent is None:
            self._error = error

    def end(self, raised: BaseException | None) -> None:
        if raised is self._handled:
            raised = None
        if not self._begun:
            self._begin(self._name)
        error = self._error
        if raised is not None:
            error = error_fields(raised)
        cancelled = isinstance(raised, asyncio.CancelledError | KeyboardInterrupt)
        self._task.end(error, cancelled=cancelled, usage=self._usage or None)

    def _begin(self, first: str) -> None:
        self._begun = True
        if self._name == DEFAULT_NAME and self._task.is_own:
            self._task.title = first
        self._task.begin(LIBRARY, plain(self._metadata))

    def _set_title(self, data: Any) -> None:
        """Make the question of the user the title, once the SDK reports it: at the end of the first model call."""
        title = title_of(question_in(call_of(data).get("messages")))
        if title is not None:
            self._has_title = True
            self._task.event("title_changed", None, None, {"title": title})

    def _add_usage(self, usage: dict[str, Any] | None) -> None:
        names = {"cached_input_tokens": "cache_read_tokens", "cache_write_input_tokens": "cache_write_tokens"}
        for name, value in (usage or {}).items():
            if name in ("input_tokens", "output_tokens", *names) and isinstance(value, int) and value:
                name = names.get(name, name)
                self._usage[name] = self._usage.get(name, 0) + value
