"""Following the log: a hint that a process may have committed, and cheap reads of the newest events."""

from __future__ import annotations

from typing import Protocol

from signalbox.store.events import Event


class Peek(Protocol):
    """Reads the newest events. Use it in one event loop, and await one call at a time.

    An implementation may block the loop for a small read that is faster than a thread switch.
    """

    async def moved(self) -> bool:
        """Return whether any process committed since the last call. True on the first call and after a failure.

        Raises StoreUnavailable.
        """

    async def events_after(self, event_id: int, limit: int) -> list[Event]:
        """Return at most `limit` events after `event_id`, in commit order. Await `moved()` first.

        After this returns an event, no event with a lower `event_id` may become visible. Raises StoreUnavailable, and
        StoreDamaged if an event cannot be read.
        """

    def forget(self) -> None:
        """Make the next `moved()` return True."""

    async def aclose(self) -> None:
        """Close the connection to the database."""


class Watch(Protocol):
    """Calls a callback when another process may have committed. See `Store.watch`."""

    def ignore(self) -> None:
        """Stop calling the callback until `listen()` is called."""

    def listen(self) -> None:
        """Call the callback for later commits again. Commits since `ignore()` are not reported."""

    def close(self) -> None:
        """Stop calling the callback for good."""
