"""A cheap look at the end of the log, for the process that follows it."""

from __future__ import annotations

from typing import Protocol

from signalbox.store.events import Event


class Peek(Protocol):
    """Reads what was committed last. It is used from one thread, and blocks it for the time of a small read."""

    def moved(self) -> bool:
        """Whether any process committed since the last call. True on the first call, and on the one after a failure.

        Raises StoreUnavailable.
        """

    def events_after(self, event_id: int, limit: int) -> list[Event]:
        """At most `limit` events after `event_id`, in commit order. Call `moved()` first. Raises StoreUnavailable."""

    def forget(self) -> None:
        """Let the next `moved()` return True."""

    def close(self) -> None:
        """Release the database."""
