"""Where a tail over HTTP stands: what to ask for next, what of an answer is new, how long to wait after a cut.

No I/O: that is in `tail.py`.
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

SILENCE = 75.0
"""Seconds without a byte after which a stream counts as dead: more than two of a server's longest keepalives."""

FIRST_DELAY, LONGEST_DELAY = 0.25, 30.0
"""Seconds before the first attempt after a cut, doubled with each that fails, up to the longest."""

PAGE = 1000

Notice = Callable[[str], None]

_event_decoder = msgspec.json.Decoder(Event)


class Gap(Exception):
    """The stream skipped events; the log has them."""


class Position:
    """The cursor of one tail, and its patience. `notice` is told when the stream is lost and when it is back."""

    def __init__(self, since_seq: int, notice: Notice | None = None) -> None:
        self.cursor = since_seq
        self._notice = notice or (lambda text: None)
        self._lost = False
        self._parser = SseParser()
        self._attempt = 0
        self._asked_delay: float | None = None

    def stream_request(self) -> dict[str, Any]:
        """How to ask for the stream from here on; half a message of the one before is forgotten."""
        self._parser = SseParser()
        # The parser reads the bytes as they are on the wire.
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
        headers |= {"Last-Event-ID": str(self.cursor)} if self.cursor else {}
        timeout = httpx.Timeout(10, read=SILENCE)
        return {"params": {"since_seq": self.cursor}, "headers": headers, "timeout": timeout}

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events of `chunk` that come next. Raises Gap, or Conflict if the history is another one now."""
        self._attempt, self._asked_delay = 0, None
        if self._lost:
            self._lost = False
            self._notice(f"connected again, going on after #{self.cursor}")
        for message in self._parser.feed(chunk):
            if message.event != "message":
                self._heed(message)
                continue
            event = _event_decoder.decode(message.data)
            # From 0 on, the first event is the oldest one that is kept.
            if event.seq > self.cursor + 1 and self.cursor:
                raise Gap
            yield from self.advance([event])

    def advance(self, events: Iterable[Event]) -> Iterator[Event]:
        """Those of `events` that were not there before."""
        for event in events:
            if event.seq > self.cursor:
                self.cursor = event.seq
                yield event

    def delay(self, asked: float | None = None) -> float:
        """Seconds to wait before the next attempt; `asked` is what an error answer told."""
        if self._asked_delay is None and not self._lost:
            self._lost = True
            self._notice(f"the connection is lost; this stands at #{self.cursor}, trying again")
        asked = self._asked_delay if asked is None else asked
        backoff = min(FIRST_DELAY * 2.0**self._attempt, LONGEST_DELAY) * random.uniform(0.5, 1)
        self._attempt = min(self._attempt + 1, 10)
        return backoff if asked is None else max(asked, backoff)

    def _heed(self, message: Message) -> None:
        if message.event == "reset":
            raise Conflict("the server's history is another one now; start again from the beginning")
        if message.event == "reconnect" and self._parser.retry_ms is not None:
            self._asked_delay = self._parser.retry_ms / 1000
