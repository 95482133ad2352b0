"""The order of a conversation: that of the log, but the spans of OpenTelemetry follow their own times.

Such spans arrive in any order: each when it ends, in batches, repeated and late. Other events are appended in the order
in which a run says them, and their clocks may differ, so they keep their places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from signalbox.store import Event
from signalbox.store.contract import ConversationEntry
from signalbox.store.projections.traces import END, SPAN_EVENTS


def by_own_times(entries: Sequence[ConversationEntry], events: Mapping[int, Event]) -> list[ConversationEntry]:
    """Return the entries with those of spans in the order of their times. `events` has the first events by seq."""
    ordered = list(entries)
    places = [place for place, entry in enumerate(entries) if _has_own_time(events[entry.first_seq])]
    spans = sorted((entries[place] for place in places), key=lambda entry: entry.span_id)
    spans.sort(key=lambda entry: _began(events[entry.first_seq]), reverse=True)
    spans.sort(key=lambda entry: (events[entry.first_seq].happened_at, events[entry.first_seq].event_type == END))
    for place, entry in zip(places, spans, strict=True):
        ordered[place] = entry
    return ordered


def _has_own_time(event: Event) -> bool:
    return event.event_type in SPAN_EVENTS and event.occurred_at is not None


def _began(event: Event) -> str:
    """Return when the span of an event began. Of two that end together, the one that began later is the inner one."""
    began = event.payload.get("started_at")
    return began if isinstance(began, str) else event.happened_at
