"""The spans that wait for the thread of the span processor: a bounded buffer that no caller waits for."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import NamedTuple

from opentelemetry.sdk.trace import ReadableSpan

Key = tuple[int, int]
"""The trace id and the span id of a span."""


class SpanReport(NamedTuple):
    """A span to report: `ended` says whether as ended or as started."""

    span: ReadableSpan
    ended: bool


class WaitingSpans:
    """Holds at most `limit` spans.

    A span that ends soon after its start is reported once, as ended. A span whose report does not fit is counted in
    `dropped`.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # Reentrant, because a signal handler may start a span while its thread adds one.
        self._lock = threading.RLock()
        self._started: dict[Key, tuple[ReadableSpan, float]] = {}
        self._ended: deque[ReadableSpan] = deque()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._started) + len(self._ended)

    def add(self, span: ReadableSpan, *, ended: bool) -> None:
        """Add a span that has started or ended."""
        with self._lock:
            if ended:
                self._started.pop(key_of(span), None)
            if len(self) >= self._limit:
                self.dropped += 1
            elif ended:
                self._ended.append(span)
            else:
                self._started[key_of(span)] = (span, time.monotonic())

    def take(self, min_age: float) -> list[SpanReport]:
        """Remove and return the ended spans, and those that started `min_age` seconds ago. Parents come first."""
        with self._lock:
            before = time.monotonic() - min_age
            reports = [SpanReport(span, False) for span, at in self._started.values() if at <= before]
            for report in reports:
                del self._started[key_of(report.span)]
            for span in self._ended:
                reports += [*self._ancestors(span), SpanReport(span, True)]
            self._ended.clear()
        return reports

    def _ancestors(self, span: ReadableSpan) -> list[SpanReport]:
        """Remove and return the reports of the parents that started lately, so that no child is shown without them."""
        found: list[SpanReport] = []
        while span.parent is not None:
            above = self._started.pop((span.parent.trace_id, span.parent.span_id), None)
            if above is None:
                break
            span = above[0]
            found.append(SpanReport(span, False))
        return found[::-1]


def key_of(span: ReadableSpan) -> Key:
    """Return the key of a span."""
    context = span.get_span_context()
    return (context.trace_id, context.span_id) if context else (0, 0)
