"""The values of OpenTelemetry's data model that become events.

Ids are hexadecimal, in lower case: 32 digits for a trace, 16 for a span. Times are nanoseconds since 1970; 0 stands for
an unknown time. Attributes are JSON values. No value is part of a cycle, so the garbage collector need not look at the
hundred thousand of a large request.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

SpanKind = Literal["internal", "server", "client", "producer", "consumer"]
StatusCode = Literal["unset", "ok", "error"]


class Scope(msgspec.Struct, frozen=True, gc=False):
    """The instrumentation library that made a span or a log record."""

    name: str = ""
    version: str = ""


class SpanEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event within a span, such as an exception."""

    name: str
    time_ns: int = 0
    attributes: dict[str, Any] = {}


class SpanLink(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A link from a span to another one, which may be in another trace."""

    trace_id: str
    span_id: str
    attributes: dict[str, Any] = {}


class TraceSpan(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A span. `ended_ns` is 0 while it runs. `parent_span_id` is None for a root span.

    `resource` has the attributes of the program that made the span, such as `service.name`. `dropped` has the numbers
    of the attributes, events and links that the program has dropped, by name.
    """

    trace_id: str
    span_id: str
    parent_span_id: str | None = None
    name: str = ""
    kind: SpanKind = "internal"
    started_ns: int = 0
    ended_ns: int = 0
    status: StatusCode = "unset"
    status_message: str = ""
    attributes: dict[str, Any] = {}
    events: tuple[SpanEvent, ...] = ()
    links: tuple[SpanLink, ...] = ()
    resource: dict[str, Any] = {}
    scope: Scope = Scope()
    trace_state: str = ""
    dropped: dict[str, int] = {}


class LogRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A log record. `trace_id` and `span_id` are empty if it was written outside of any span.

    `severity` is the number of the severity, from 1 to 24, or 0. `severity_text` is the level in the words of the
    program.
    """

    trace_id: str = ""
    span_id: str = ""
    time_ns: int = 0
    observed_ns: int = 0
    severity: int = 0
    severity_text: str = ""
    event_name: str = ""
    body: Any = None
    attributes: dict[str, Any] = {}
    resource: dict[str, Any] = {}
    scope: Scope = Scope()
