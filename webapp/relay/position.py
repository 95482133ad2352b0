"""Where a relay stands in its upstream, and what of the upstream is new. No I/O.

The key of an event is `relay/ID` for a message with an id, and `relay/ID/N/HASH` for the N-th message without one after
it; ID is percent-encoded, and empty for an upstream that gives no ids at all.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from urllib.parse import quote, unquote

import msgspec

from signalbox.store.events import NewEvent
from signalbox.store.remote.sse import Message
from signalbox.webapp.relay.mapping import event_of
from signalbox.webapp.relay.replay import Replay

PREFIX = "relay/"
LONGEST_ID = 200
"""Characters of an encoded id; a longer one fits in no key, and its message counts as one without an id."""


class Mark(msgspec.Struct, frozen=True):
    """What a key says: the id, and for a message without one of its own its number after it and its content's hash."""

    id: str
    number: int = 0
    hash: int = 0


class Position:
    """The last id of the upstream, and the hashes of what came after it without ids."""

    def __init__(self, marks: Iterable[Mark] = ()) -> None:
        """`marks` are those of a log from its last id on, in order."""
        self.last_id = ""
        self._hashes = array("Q")
        for mark in marks:
            if mark.id != self.last_id:
                self.last_id, self._hashes = mark.id, array("Q")
            # Zero stands for a message that the log did not take.
            self._hashes.extend([0] * (mark.number - len(self._hashes)))
            if mark.number:
                self._hashes[mark.number - 1] = mark.hash
        self.connected()

    @property
    def begun(self) -> bool:
        """Whether the upstream has said anything yet."""
        return bool(self.last_id or self._hashes)

    def connected(self) -> None:
        """A new connection: it may begin after the last id, with it, or anywhere before."""
        self._stream_id = ""
        self._replay = Replay(self._hashes)

    def take(self, message: Message) -> Iterator[NewEvent]:
        """The events, with their keys, that are new with `message`."""
        event = event_of(message)
        own = message.last_event_id if usable(message.last_event_id) else ""
        if own and own != self._stream_id:
            yield from self._add(self._replay.disproved())
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
    """Whether an id can stand in a header and in a key."""
    return upstream_id.isprintable() and upstream_id == upstream_id.strip() and len(_encoded(upstream_id)) <= LONGEST_ID


def mark_of(key: str | None) -> Mark | None:
    """What an event's key says; None for an event that no relay stored."""
    if key is None or not key.startswith(PREFIX):
        return None
    encoded, *rest = key.removeprefix(PREFIX).split("/")
    try:
        return Mark(unquote(encoded), *(int(word, base) for word, base in zip(rest, (10, 16), strict=bool(rest))))
    except (ValueError, TypeError):
        return None


def content_hash(message: Message) -> int:
    """64 bits of what a message says, never zero."""
    said = f"{message.event}\0{message.data}".encode("utf-8", "replace")
    return int.from_bytes(blake2b(said, digest_size=8).digest()) or 1


def _encoded(upstream_id: str) -> str:
    return quote(upstream_id, safe=":.-_~")
