"""The spans and log records of one request, without those that break a rule of OpenTelemetry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from signalbox.store.emitter.fit_payload import fitting_object, word
from signalbox.store.traces import LogRecord, Scope, TraceSpan
from signalbox.store.traces.values import SpanKind, StatusCode
from signalbox.webapp.http.bad_request import BadRequest

KINDS: tuple[SpanKind, ...] = ("internal", "internal", "server", "client", "producer", "consumer")
"""The span kinds by their numbers in the protocol. 0 is unspecified."""

STATUSES: tuple[StatusCode, ...] = ("unset", "ok", "error")

MAX_REASONS = 3
"""Different reasons that a response gives for what was rejected."""

MAX_RESOURCE_BYTES = 4096
"""Bytes of a resource as JSON. A request has it once, but each of its spans is stored with a copy."""

MAX_ITEMS = 20_000
"""Spans or log records of one request. Collectors send 8,192 by default, and SDKs 512."""

MAX_FIELDS_OF_ONE = 100_000
"""Fields of one span, log record, resource or scope, with those of its attributes, events and links."""

SMALL = 64 * 1024
"""Bytes of a message whose fields need not be counted."""

_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
_SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}")


class Received(msgspec.Struct):
    """What a request contains: `spans` and `records` that can be stored, and why `rejected` others cannot.

    `expected` is the number of spans or records that were found so far.
    """

    spans: list[TraceSpan] = []
    records: list[LogRecord] = []
    rejected: int = 0
    reasons: list[str] = []
    expected: int = 0

    @property
    def message(self) -> str:
        """The reasons as one text."""
        return "; ".join(self.reasons)

    def reject(self, reason: str, count: int = 1) -> None:
        """Count rejected spans or records, with the reason."""
        self.rejected += count
        if reason not in self.reasons and len(self.reasons) < MAX_REASONS:
            self.reasons.append(reason)

    def expect(self, more: int = 1) -> None:
        """Raise BadRequest if the request has too many spans or log records with `more` ones."""
        self.expected += more
        if self.expected > MAX_ITEMS:
            raise BadRequest(
                f"the request has more than {MAX_ITEMS:,} spans or log records: send several requests. Batch processors"
                " of OpenTelemetry have a setting for it, such as OTEL_BSP_MAX_EXPORT_BATCH_SIZE"
            )

    def reject_dense(self, what: str) -> None:
        """Reject a span or log record that has too many fields."""
        self.reject(f"a {what} may have at most {MAX_FIELDS_OF_ONE:,} fields, with those in it")

    def add_span(self, span: TraceSpan) -> None:
        """Add a span if its ids are valid."""
        if not _TRACE_ID.fullmatch(span.trace_id):
            return self.reject(
                "the trace id of a span must be 16 bytes, in JSON 32 hexadecimal digits, and not all zero"
            )
        if not _SPAN_ID.fullmatch(span.span_id):
            return self.reject("the id of a span must be 8 bytes, in JSON 16 hexadecimal digits, and not all zero")
        if span.parent_span_id is not None and not _SPAN_ID.fullmatch(span.parent_span_id):
            if span.parent_span_id.strip("0"):
                return self.reject("the parent id of a span must be empty, or 8 bytes, in JSON 16 hexadecimal digits")
            span = msgspec.structs.replace(span, parent_span_id=None)
        links = tuple(link for link in span.links if _TRACE_ID.fullmatch(link.trace_id))
        if len(links) < len(span.links):
            span = msgspec.structs.replace(span, links=links)
        self.spans.append(span)
        return None

    def add_record(self, record: LogRecord) -> None:
        """Add a log record. Ids that are not valid are dropped, as the data model of logs asks."""
        if not _TRACE_ID.fullmatch(record.trace_id):
            record = msgspec.structs.replace(record, trace_id="", span_id="")
        elif not _SPAN_ID.fullmatch(record.span_id):
            record = msgspec.structs.replace(record, span_id="")
        self.records.append(record)


def resource_of(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a resource, cut if they are too long."""
    return fitting_object(attributes, MAX_RESOURCE_BYTES)


def scope_of(name: str, version: str) -> Scope:
    """Return a scope with its name and version as short lines."""
    return Scope(word(name) or "", word(version) or "")


def kind_of(number: int) -> SpanKind:
    """Return the span kind with this number; an unknown number stands for an internal span."""
    return KINDS[number] if 0 <= number < len(KINDS) else "internal"


def status_of(number: int) -> StatusCode:
    """Return the status with this number; an unknown number stands for an unset status."""
    return STATUSES[number] if 0 <= number < len(STATUSES) else "unset"


def without_zeros(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the counts that are not zero."""
    return {name: count for name, count in counts.items() if count}
