"""Queries of the messages of people to a run."""

from __future__ import annotations

from signalbox.store.sql.views.base import UNLIMITED, Rows
from signalbox.store.state import SentMessage


class MessageViews(Rows):
    """Implements `MessageReading` of `store.contract`."""

    async def messages(
        self, task_id: str, *, untaken: bool = False, after: int = 0, limit: int | None = None
    ) -> list[SentMessage]:
        only = "AND open = 1" if untaken else ""
        sql = f"SELECT state FROM task_messages WHERE task_id = ? AND seq > ? {only} ORDER BY seq LIMIT ?"
        return await self._values(SentMessage, sql, task_id, after, UNLIMITED if limit is None else limit)

    async def latest_messages(self, task_id: str, limit: int) -> list[SentMessage]:
        sql = "SELECT state FROM task_messages WHERE task_id = ? ORDER BY seq DESC LIMIT ?"
        return (await self._values(SentMessage, sql, task_id, limit))[::-1]
