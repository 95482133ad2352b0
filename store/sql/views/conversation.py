"""Queries of the conversation of a task."""

from __future__ import annotations

from collections.abc import Sequence

from signalbox.store.contract.values import ConversationEntry
from signalbox.store.events import Event
from signalbox.store.sql.conversation import NEWEST, NEWEST_OF_SPANS
from signalbox.store.sql.views.base import Rows


class ConversationViews(Rows):
    """Implements `ConversationReading` of `store.contract`."""

    async def conversation(
        self, task_id: str, limit: int = 100, *, before: int | None = None, spans: Sequence[str] | None = None
    ) -> list[ConversationEntry]:
        below = 2**62 if before is None else before
        if spans is None:
            rows = await self._rows(NEWEST, task_id, below, limit)
        else:
            among, ids = self.dialect.among("span_id", spans)
            rows = await self._rows(NEWEST_OF_SPANS.format(among=among), task_id, task_id, *ids, below, limit)
        return [ConversationEntry(first, last, span_id, bool(pieces)) for first, last, span_id, pieces in rows[::-1]]

    async def events_of_span(self, task_id: str, span_id: str, first: int, last: int, limit: int = 1000) -> list[Event]:
        where = "task_id = ? AND seq BETWEEN ? AND ? AND span_id = ? ORDER BY seq DESC LIMIT ?"
        return (await self._events(where, task_id, first, last, span_id, limit))[::-1]
