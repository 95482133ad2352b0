"""Which events belong to the conversation of a task: its model calls, their tools, and the permission requests."""

from __future__ import annotations

from signalbox.store.events import PERMISSION_EVENTS, Event
from signalbox.store.model_calls.marks import WORK_TYPES, concerns_model
from signalbox.store.state import Span

ALWAYS = frozenset({"tool_status", "tool_result", *PERMISSION_EVENTS})
"""Events that belong to the conversation of any task with model calls."""

_ENDS = frozenset({"work_item_complete", "work_item_failed"})


def belongs(event: Event, span: Span | None) -> bool:
    """Return whether an event belongs to the conversation. `span` is its span."""
    if event.event_type in ALWAYS or concerns_model(event):
        return True
    if span is None or not is_model_span(span):
        return False
    return event.event_type in _ENDS or (event.event_type == "log" and is_said(event))


def is_model_span(span: Span) -> bool:
    """Return whether a span is a model call, so that its log lines are the words of the model."""
    if span.kind != "work_item":
        return False
    return span.work_type in WORK_TYPES or (span.model is not None and "agent" not in (span.work_type or "").lower())


def is_said(event: Event) -> bool:
    """Return whether a log line of a model call is text of the model, and not output or a warning of the program."""
    payload = event.payload
    return "stream" not in payload and payload.get("level") in (None, "info") and bool(payload.get("message"))
