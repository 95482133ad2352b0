"""The position of a tail over HTTP: the next request, the new events of a response, the delay before a reconnect.

This module does no I/O. `tail.py` does it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import httpx
import msgspec

from signalbox.store.errors import Conflict
from signalbox.store.events import Event
from signalbox.store.remote.sse import Message, SseParser

READ_TIMEOUT = 75.0
"""Seconds without a byte after which a stream counts as lost: more than twice a server's longest keepalive interval."""

FIRST_DELAY, MAX_DELAY = 0.25, 30.0
"""Seconds before the first reconnect, and the maximum. The delay doubles with each failed attempt."""

PAGE_SIZE = 1000

Notice = Callable[[str], None]

_event_decoder = msgspec.json.Decoder(Event)


class Gap(Exception):
    """The stream skipped events, which must be read from the log."""


class Position:
    """The cursor and the reconnect delay of one tail.

    `notice` is called with a line of text when the stream is lost and when it is connected again.
    """

    def __init__(self, since_seq: int, notice: Notice | None = None) -> None:
        self.cursor = since_seq
        self._notice = notice or (lambda text: None)
        self._lost = False
        self._parser = SseParser()
        self._attempt = 0
        self._asked_delay: float | None = None

    def stream_request(self) -> dict[str, Any]:
        """Return the options of a request for the stream after the cursor. Discards a partial message."""
        self._parser = SseParser()
        # The parser reads the raw bytes, so the server must not compress them.
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
        headers |= {"Last-Event-ID": str(self.cursor)} if self.cursor else {}
        timeout = httpx.Timeout(10, read=READ_TIMEOUT)
        return {"params": {"since_seq": self.cursor}, "headers": headers, "timeout": timeout}

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Yield the new events of `chunk`. Raises Gap, and Conflict if the server's history was replaced."""
        self._attempt, self._asked_delay = 0, None
        if self._lost:
            self._lost = False
            self._notice(f"connected again; continuing after #{self.cursor}")
        for message in self._parser.feed(chunk):
            if message.event != "message":
                self._handle_control(message)
                continue
            event = _event_decoder.decode(message.data)
            # With the cursor at 0, the first event may have any seq: older events may have been deleted.
            if event.seq > self.cursor + 1 and self.cursor:
                raise Gap
            yield from self.advance([event])

    def advance(self, events: Iterable[Event]) -> Iterator[Event]:
        """Yield the events after the cursor, and move the cursor."""
        for event in events:
            if event.seq > self.cursor:
                self.cursor = event.seq
                yield event

    def delay(self, asked: float | None = None) -> float:
        """Return the seconds to wait before the next attempt. `asked` is the server's `Retry-After`, if any."""
        if self._asked_delay is None and not self._lost:
            self._lost = True
            self._notice(f"the connection was lost after #{self.cursor}; reconnecting")
        asked = self._asked_delay if asked is None else asked
        backoff = min(FIRST_DELAY * 2.0**self._attempt, MAX_DELAY) * random.uniform(0.5, 1)
        self._attempt = min(self._attempt + 1, 10)
        return backoff if asked is None else max(asked, backoff)

    def _handle_control(self, message: Message) -> None:
        if message.event == "reset":
            raise Conflict("the server's history was replaced; start again from the beginning")
        if message.event == "reconnect" and self._parser.retry_ms is not None:
            self._asked_delay = self._parser.retry_ms / 1000
