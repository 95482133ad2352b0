"""A transport of wake-ups: it carries messages without data between the processes that share a store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol


class BusUnavailable(Exception):
    """The bus cannot be reached. The message is for the log: it names the cause, and contains no password."""


class Transport(Protocol):
    """Publishes and receives wake-ups. All calls come from one event loop."""

    async def publish(self, origin: str) -> None:
        """Wake all listening processes. `origin` names this process. Raises BusUnavailable."""

    def listen(self) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """Listen: the iterator yields the `origin` of each wake-up. No wake-up is lost once the block has begun.

        Entering the block and the iterator raise BusUnavailable, also when the connection is lost.
        """

    async def aclose(self) -> None:
        """Close all connections."""
