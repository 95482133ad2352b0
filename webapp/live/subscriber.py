"""A subscriber: one open stream with a cursor instead of a queue, so a slow reader costs one chunk of memory."""

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
        """Stop serving a subscriber."""

    def position(self, subscriber: Subscriber) -> int:
        """Return the cursor of a subscriber."""


class Subscriber:
    """One open stream of the caller that `ticket` names.

    `deadline` is on the loop's clock. `events_left` is how many more events the stream may get. `last_write` is its
    lane's tick at the last write to it. `shown` names the state that the page at the other end shows, apart from its
    position; "" if that is unknown. `ending` says that the stream is being ended. While the subscriber is in a
    cursor group, the group has its cursor and `events_left`; `ends_at` is the seq at which no event is left.
    """

    __slots__ = (
        "_ended",
        "_write_chunk",
        "busy",
        "catching_up",
        "control_messages",
        "cursor",
        "deadline",
        "ending",
        "ends_at",
        "events_left",
        "lane",
        "last_write",
        "shown",
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
        shown: str = "",
    ) -> None:
        self.lane = lane
        self.ticket = ticket
        self.control_messages = lane.control_messages.for_reader(ticket.visible_projects)
        self.cursor = cursor
        self.stream_encoding = stream_encoding
        self.events_left = max_events
        self.ends_at = 0
        self.deadline = deadline
        self.shown = shown
        self.busy = False
        self.last_write = lane.tick
        self.catching_up: asyncio.Task[None] | None = None
        self.ending = False
        self.sink = sink_for(send, self._on_drained, self.finish)
        self._write_chunk = self.sink.write_chunk if isinstance(stream_encoding, Plain) else self._write_encoded
        self._ended: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def take(self, chunk: Chunk) -> None:
        """Write a chunk. The subscriber is busy until its reader has taken all of it."""
        self.cursor = chunk.to_seq
        self.events_left -= chunk.events
        if chunk.shown is not None:
            self.shown = chunk.shown
        if chunk.body:
            self.last_write = self.lane.tick
            self.busy = not self._write_chunk(chunk)
        if chunk.last:
            self.finish()
        elif self.events_left <= 0:
            self.disconnect("max_events", random.randint(100, 500))

    def send_control(self, data: bytes) -> None:
        """Write a control message, unless earlier bytes are still waiting."""
        if data and not self.busy and not self.ending:
            self.last_write = self.lane.tick
            self.busy = not self.sink.write(self.stream_encoding.encode(data))

    def disconnect(self, reason: str, retry_ms: int) -> None:
        """End the stream with a farewell; its client reconnects after `retry_ms` milliseconds."""
        self.finish(self.control_messages.farewell(self.lane.position(self), reason, retry_ms))

    @property
    def direct(self) -> Direct | None:
        """The transport to write to directly, or None if the stream is compressed or has no transport."""
        return self.sink.direct if isinstance(self.stream_encoding, Plain) else None

    def finish(self, final_bytes: bytes = b"") -> None:
        """End the stream after `final_bytes`."""
        if not self._ended.done():
            self.ending = True
            self._ended.set_result(final_bytes)

    def abort(self) -> None:
        """End the stream of a stalled reader and drop the bytes that wait for it."""
        self.sink.cancel()
        self.finish()

    async def run(self) -> bytes:
        """Run until the stream is finished or the client disconnects; return the final bytes."""
        self.lane.join(self)
        try:
            final_bytes = await self._ended
            await self.sink.wait_drained()
            return final_bytes
        finally:
            self.lane.leave(self)
            if self.catching_up:
                self.catching_up.cancel()
            self.sink.cancel()

    def _write_encoded(self, chunk: Chunk) -> bool:
        return self.sink.write(self.stream_encoding.encode_chunk(chunk))

    def _on_drained(self) -> None:
        self.busy = False
        if self.ending:
            return
        try:
            self.lane.join(self)
        except Exception as error:
            logger.error("a stream failed", exc_info=error)
            self.finish()
