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
        """Return a context manager whose iterator yields the `origin` of each wake-up sent since the block was entered.

        Entering the block and iterating raise BusUnavailable, also when the connection is lost.
        """

    async def aclose(self) -> None:
        """Close all connections."""
