"""Reads of the messages of people to a run."""

from __future__ import annotations

from typing import Protocol

from signalbox.store.state import SentMessage


class MessageReading(Protocol):
    """Reads of the messages of one task."""

    async def messages(
        self, task_id: str, *, untaken: bool = False, after: int = 0, limit: int | None = None
    ) -> list[SentMessage]:
        """Return the first `limit` messages (None: all) after the seq `after`, by seq.

        With `untaken`, only those that no run has taken.
        """

    async def latest_messages(self, task_id: str, limit: int) -> list[SentMessage]:
        """Return the newest `limit` messages, by seq."""
