"""Finds the agent to which an event belongs: the nearest span above it that is an agent of its own."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from signalbox.store.state import Span

MAX_LEVELS = 50

_AGENT = re.compile(r"(?:^|[^a-z])(?:sub)?agents?$|^(?:invoke|sub)[-_ ]?agent|^subagent")


class AgentSpans:
    """The agents among some spans. `called` are spans that their own events call agents, and `with_calls` spans below
    which a model was called.
    """

    def __init__(self, spans: Mapping[str, Span], called: Collection[str] = (), with_calls: Collection[str] = ()):
        self._spans = spans
        self._called = called
        self._with_calls = with_calls

    def is_agent(self, span: Span) -> bool:
        """Return whether a span is an agent within the run."""
        if span.kind == "run":
            return False
        if span.kind == "tool":
            return span.span_id in self._with_calls
        return span.span_id in self._called or bool(_AGENT.search((span.work_type or "").lower()))

    def path(self, span_id: str, *, inside: bool = True) -> Sequence[Span]:
        """Return a span with the spans above it, the outermost first. Without `inside`, leave out the span itself."""
        found: list[Span] = []
        met = set[str]()
        span = self._spans.get(span_id)
        while span is not None and span.span_id not in met and len(found) < MAX_LEVELS:
            met.add(span.span_id)
            found.append(span)
            span = self._spans.get(span.parent_span_id or "")
        path = found[::-1]
        return path if inside else path[:-1]
