"""A subscriber holds a cursor, not a queue: a slow one costs one chunk and slows nobody."""

from __future__ import annotations

import asyncio
import random
from typing import Protocol

import structlog

from signalbox.webapp.auth.ticket import Ticket
from signalbox.webapp.live.chunk import Chunk
from signalbox.webapp.live.control_messages import ControlMessages
from signalbox.webapp.live.sink import Direct, Send, sink_for
from signalbox.webapp.live.stream_encoding import Plain, StreamEncoding

logger = structlog.get_logger("signalbox.live")


class Source(Protocol):
    """The lane of a subscriber. `tick` counts the sweeps over it."""

    tick: int

    control_messages: ControlMessages

    def join(self, subscriber: Subscriber) -> None:
        """Serve a subscriber from its cursor on; called again after each stall."""

    def leave(self, subscriber: Subscriber) -> None:
        """Stop serving it."""

    def position(self, subscriber: Subscriber) -> int:
        """Return the cursor of a subscriber."""


class Subscriber:
    """One open stream of the caller that `ticket` names.

    `deadline` is on the loop's clock. `events_left` is how many more events the stream may get. `last_write` is its
    lane's tick at the last write to it. `over` says that the stream is being ended. While the subscriber is in a crowd,
    the crowd keeps its cursor and `events_left`; `ends_at` is the seq at which none is left.
    """

    __slots__ = (
        "_ended",
        "_put",
        "busy",
        "catching_up",
        "control_messages",
        "cursor",
        "deadline",
        "ends_at",
        "events_left",
        "lane",
        "last_write",
        "over",
        "sink",
        "stream_encoding",
        "ticket",
    )

    def __init__(
        self,
        lane: Source,
        cursor: int,
        send: Send,
        stream_encoding: StreamEncoding,
        ticket: Ticket,
        *,
        max_events: int,
        deadline: float,
    ) -> None:
        self.lane = lane
        self.ticket = ticket
        self.control_messages = lane.control_messages.to(ticket.sight)
        self.cursor = cursor
        self.stream_encoding = stream_encoding
        self.events_left = max_events
        self.ends_at = 0
        self.deadline = deadline
        self.busy = False
        self.last_write = lane.tick
        self.catching_up: asyncio.Task[None] | None = None
        self.over = False
        self.sink = sink_for(send, self._free, self.finish)
        self._put = self.sink.put if isinstance(stream_encoding, Plain) else self._put_encoded
        self._ended: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def take(self, chunk: Chunk) -> None:
        """Write a chunk. The subscriber is busy until its reader has taken all of it."""
        self.cursor = chunk.to_seq
        self.events_left -= chunk.events
        if chunk.body:
            self.last_write = self.lane.tick
            self.busy = not self._put(chunk)
        if chunk.last:
            self.finish()
        elif self.events_left <= 0:
            self.send_away("max_events", random.randint(100, 500))

    def say(self, words: bytes) -> None:
        """Write a control message, unless the reader is behind."""
        if words and not self.busy and not self.over:
            self.last_write = self.lane.tick
            self.busy = not self.sink.offer(self.stream_encoding.words(words))

    def send_away(self, reason: str, retry_ms: int) -> None:
        """End the stream with a farewell; its client reconnects after `retry_ms` milliseconds."""
        self.finish(self.control_messages.farewell(self.lane.position(self), reason, retry_ms))

    @property
    def direct(self) -> Direct | None:
        """The direct way to write to this stream, or None if it compresses its bytes or has no transport."""
        return self.sink.direct if isinstance(self.stream_encoding, Plain) else None

    def finish(self, last_words: bytes = b"") -> None:
        """End the stream from the server's side, after `last_words`."""
        if not self._ended.done():
            self.over = True
            self._ended.set_result(last_words)

    def abort(self) -> None:
        """End the stream of a stalled reader and drop the bytes that wait for it."""
        self.sink.cancel()
        self.finish()

    async def run(self) -> bytes:
        """Run until the stream is finished or the client disconnects; return the last words."""
        self.lane.join(self)
        try:
            last_words = await self._ended
            await self.sink.drained()
            return last_words
        finally:
            self.lane.leave(self)
            if self.catching_up:
                self.catching_up.cancel()
            self.sink.cancel()

    def _put_encoded(self, chunk: Chunk) -> bool:
        return self.sink.offer(self.stream_encoding.chunk(chunk))

    def _free(self) -> None:
        self.busy = False
        if self.over:
            return
        try:
            self.lane.join(self)
        except Exception as error:
            logger.error("a stream cannot go on", exc_info=error)
            self.finish()
