"""The mailbox of a run: the messages of people that it has not acknowledged yet."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress

from signalbox.store.state import SentMessage


class Mailbox:
    """Is filled by the lifeline's thread, and read by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._messages: dict[int, SentMessage] = {}
        self._acknowledged: set[int] = set()
        self._changes: list[Future[None]] = []
        self.is_loaded = False

    def load(self, messages: Iterable[SentMessage]) -> None:
        """Add the messages that were sent before the run began."""
        for message in messages:
            self.deliver(message)
        self.is_loaded = True
        self.wake()

    def deliver(self, message: SentMessage | None) -> None:
        """Add a message, unless it is None or already acknowledged."""
        if message is None or message.seq in self._acknowledged:
            return
        with self._lock:
            self._messages[message.seq] = message
        self.wake()

    def acknowledge(self, seq: int) -> None:
        """Remove a message, also if it is delivered again."""
        with self._lock:
            self._acknowledged.add(seq)
            self._messages.pop(seq, None)

    def start_over(self) -> None:
        """Forget everything, because the log was restored to an earlier state and is read again."""
        with self._lock:
            self._messages.clear()
            self._acknowledged.clear()
            self.is_loaded = False

    def first(self) -> SentMessage | None:
        """Return the first message, or None."""
        with self._lock:
            return self._messages[min(self._messages)] if self._messages else None

    @contextmanager
    def change(self) -> Iterator[Future[None]]:
        """Provide a future that is done at the next `wake`."""
        change: Future[None] = Future()
        with self._lock:
            self._changes.append(change)
        try:
            yield change
        finally:
            with self._lock, suppress(ValueError):
                self._changes.remove(change)

    def wake(self) -> None:
        """Wake everybody who waits for a change."""
        with self._lock:
            changes, self._changes = self._changes, []
        for change in changes:
            with suppress(InvalidStateError):
                change.set_result(None)
