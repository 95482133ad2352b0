"""A relay's position in its upstream; decides which messages are new. Does no I/O.

The idempotency key of an event is `relay/ID` if its message has an SSE id. The N-th message without an id after that
one gets `relay/ID/N/HASH`. ID is percent-encoded, and empty if the upstream sends no ids at all.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from urllib.parse import quote, unquote

import msgspec

from signalbox.store.events import NewEvent
from signalbox.store.remote.sse import Message
from signalbox.webapp.relay.mapping import to_event
from signalbox.webapp.relay.replay import Replay

PREFIX = "relay/"
MAX_ID_CHARS = 200
"""A longer encoded id does not fit in a key. Its message is treated as one without an id."""

MAX_MISSING = 1000
"""Messages that may be missing from the log before a message without an id. A mark after more of them is ignored.

Any program that writes to the task can choose the number in a key, which must not fill the memory.
"""

_KEY = re.compile(r"relay/([^/]*)(?:/([1-9][0-9]{0,15})/([0-9a-f]{16}))?")


class Mark(msgspec.Struct, frozen=True):
    """The parts of a relay's idempotency key.

    `id` is the last SSE id. For a message without an id of its own, `number` counts the messages since `id`, and `hash`
    is its `content_hash`.
    """

    id: str
    number: int = 0
    hash: int = 0


class UpstreamPosition:
    """The last SSE id of the upstream, and the hashes of the messages without ids that followed it."""

    def __init__(self, marks: Iterable[Mark] = ()) -> None:
        """Restore a position from a log: `marks` are in order and begin with the log's last SSE id."""
        self.last_id = ""
        self._hashes = array("Q")
        for mark in marks:
            if mark.id != self.last_id:
                self.last_id, self._hashes = mark.id, array("Q")
            if mark.number > len(self._hashes) + MAX_MISSING:
                continue
            # 0 stands for a message that is missing from the log.
            self._hashes.extend([0] * (mark.number - len(self._hashes)))
            if mark.number:
                self._hashes[mark.number - 1] = mark.hash
        self.connected()

    @property
    def has_messages(self) -> bool:
        """Whether the log has any message of the upstream."""
        return bool(self.last_id or self._hashes)

    def connected(self) -> None:
        """Start a new connection. The upstream may resume after the last id, at it, or anywhere before it."""
        self._stream_id = ""
        self._replay = Replay(self._hashes)

    def take(self, message: Message) -> Iterator[NewEvent]:
        """Yield the new events, with their keys, now that `message` has arrived.

        A message that may be a repetition is held back until a later one shows whether it was.
        """
        event = to_event(message)
        own = message.last_event_id if usable(message.last_event_id) else ""
        if own and own != self._stream_id:
            yield from self._add(self._replay.release())
            self._stream_id = own
            if own != self.last_id:
                self.last_id, self._hashes = own, array("Q")
            self._replay = Replay(self._hashes)
            if event is not None:
                yield msgspec.structs.replace(event, key=PREFIX + _encoded(own))
        elif event is not None:
            yield from self._add(self._replay.take(event, content_hash(message)))

    def _add(self, new: Iterable[tuple[NewEvent, int]]) -> Iterator[NewEvent]:
        for event, digest in list(new):
            self._hashes.append(digest)
            key = f"{PREFIX}{_encoded(self.last_id)}/{len(self._hashes)}/{digest:016x}"
            yield msgspec.structs.replace(event, key=key)


def usable(upstream_id: str) -> bool:
    """Return whether an SSE id fits in a `Last-Event-ID` header and in an idempotency key."""
    stripped = upstream_id.isprintable() and upstream_id == upstream_id.strip()
    return stripped and len(_encoded(upstream_id)) <= MAX_ID_CHARS


def mark_of(key: str | None) -> Mark | None:
    """Parse an event's idempotency key. Return None if no relay wrote it."""
    written = _KEY.fullmatch(key or "")
    if written is None:
        return None
    encoded, number, digest = written.groups(default="0")
    last_id = unquote(encoded)
    return Mark(last_id, int(number), int(digest, 16)) if usable(last_id) else None


def content_hash(message: Message) -> int:
    """Return a 64-bit hash of a message's name and data, never 0."""
    content = f"{message.event}\0{message.data}".encode("utf-8", "replace")
    return int.from_bytes(blake2b(content, digest_size=8).digest()) or 1


def _encoded(upstream_id: str) -> str:
    return quote(upstream_id, safe=":.-_~")
