"""How a process follows the log: it is told that somebody may have committed, and looks at the end of the log."""

from __future__ import annotations

from typing import Protocol

from signalbox.store.events import Event


class Peek(Protocol):
    """Reads what was committed last. Its owner uses it in one event loop, and awaits one call at a time.

    A kind of store may block the loop for the time of a small read that takes less than a thread switch would.
    """

    async def moved(self) -> bool:
        """Whether any process committed since the last call. True on the first call, and on the one after a failure.

        Raises StoreUnavailable.
        """

    async def events_after(self, event_id: int, limit: int) -> list[Event]:
        """At most `limit` events after `event_id`, in commit order. Await `moved()` first. Raises StoreUnavailable,
        and StoreDamaged if one of them cannot be read.

        No event with a lower `event_id` may become visible after this returned a higher one.
        """

    def forget(self) -> None:
        """Let the next `moved()` return True."""

    async def aclose(self) -> None:
        """Release the database."""


class Watch(Protocol):
    """A callback that is called when any process may have committed. See `Store.watch`."""

    def ignore(self) -> None:
        """Do not call until `listen()`."""

    def listen(self) -> None:
        """Call again, for what is committed from now on. Commits since `ignore()` are forgotten."""

    def close(self) -> None:
        """Stop calling, for good."""
