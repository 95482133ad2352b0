"""A log record as an event."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from signalbox.store.emitter.fit_payload import fitting, plain
from signalbox.store.events import NewEvent
from signalbox.store.times import from_nanoseconds
from signalbox.store.traces.exceptions import ATTRIBUTES, exception_payload
from signalbox.store.traces.values import LogRecord

_LEVELS = ("trace", "debug", "info", "warning", "error", "critical")
"""The level of each four numbers of severity, from 1 on."""


def level_of(severity: int, text: str) -> str:
    """Return the level of a severity number. Without a valid number it is the text in lower case, or `info`."""
    if 1 <= severity <= 24:
        return _LEVELS[(severity - 1) // 4]
    return text.strip().lower()[:32] or "info"


def log_event(record: LogRecord, place: int = 0) -> NewEvent:
    """Return the event of a log record. It belongs to the span in which it was written, if there is one.

    A record that is sent again gets the same key. `place` distinguishes records with equal contents and times.
    """
    return fitting(
        NewEvent(
            event_type=record.event_name if record.event_name.startswith("gen_ai.") else "log",
            actor="otel",
            span_id=record.span_id or None,
            payload=_payload(record),
            key=f"otel:{record.trace_id}:{record.span_id}:log:{_digest(record)}{f':{place}' if place else ''}",
            occurred_at=from_nanoseconds(record.time_ns or record.observed_ns),
        )
    )


def _payload(record: LogRecord) -> dict[str, Any]:
    payload: dict[str, Any] = {"level": level_of(record.severity, record.severity_text)}
    if record.event_name.startswith("gen_ai."):
        return {"body": record.body, "attributes": record.attributes}
    payload["message"] = _message(record)
    if isinstance(record.body, dict | list):
        payload["body"] = record.body
    attributes = record.attributes
    if not set(ATTRIBUTES).isdisjoint(attributes):
        return {**payload, **exception_payload(attributes, payload["message"])} | _named(record)
    if attributes:
        payload["attributes"] = attributes
    return payload | _named(record)


def _named(record: LogRecord) -> dict[str, Any]:
    named = {"event_name": record.event_name, "logger": record.scope.name}
    return {name: value for name, value in named.items() if value}


def _message(record: LogRecord) -> str:
    if isinstance(record.body, str) and record.body:
        return record.body
    if record.body in (None, "", {}, []):
        return record.event_name or "(empty log record)"
    if record.event_name:
        return record.event_name
    return msgspec.json.encode(plain(record.body)).decode()


def _digest(record: LogRecord) -> str:
    told = (
        record.time_ns,
        record.observed_ns,
        record.severity,
        record.severity_text,
        record.event_name,
        plain(record.body),
        plain(record.attributes),
        record.scope.name,
    )
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:32]
