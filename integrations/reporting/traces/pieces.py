"""Pieces of streamed answers, joined so that a fast model does not fill the log with single tokens."""

from __future__ import annotations

import time
from collections.abc import Callable

PIECE_INTERVAL_S = 0.1
"""Seconds between two events with pieces of the same answer."""


class Pieces:
    """Joins the pieces of one answer. `send` is called with a text, and with whether it is the model's thinking."""

    def __init__(self, send: Callable[[str, bool], None]) -> None:
        self._send = send
        self._waiting: list[str] = []
        self._is_thinking = False
        self._sent_at = 0.0

    def add(self, text: str, *, is_thinking: bool = False) -> None:
        """Add a piece. It is sent with those before it, or waits for the next one if some were sent just now."""
        if is_thinking != self._is_thinking:
            self.flush()
            self._is_thinking = is_thinking
        if text:
            self._waiting.append(text)
        if time.monotonic() - self._sent_at >= PIECE_INTERVAL_S:
            self.flush()

    def flush(self) -> None:
        """Send the waiting pieces."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._sent_at = time.monotonic()
            self._send("".join(waiting), self._is_thinking)
