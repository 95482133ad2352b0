"""Reads of the conversation of one task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from signalbox.store.contract.values import ConversationEntry
from signalbox.store.events import Event


class ConversationReading(Protocol):
    """Reads of the events about model calls, tool calls and permission requests of one task."""

    async def conversation(
        self, task_id: str, limit: int = 100, *, before: int | None = None, spans: Sequence[str] | None = None
    ) -> list[ConversationEntry]:
        """Return the newest `limit` entries that begin below the seq `before` (None: of all), by seq.

        `spans` restricts them to entries of these spans.
        """

    async def events_of_span(self, task_id: str, span_id: str, first: int, last: int, limit: int = 1000) -> list[Event]:
        """Return the newest `limit` events of a span from the seq `first` to the seq `last`, by seq."""
