"""Separates repeated messages from new ones when an upstream sends no SSE ids.

After a reconnect an upstream may repeat its stream from the start, repeat its last lines, or continue. Incoming
messages are compared with the known ones. While they match a run of known messages they are held back. If the match
reaches the end of the known messages, they were repetitions and are dropped; if it breaks, they were new.
"""

from __future__ import annotations

from array import array

from signalbox.store.events import NewEvent

PROOF_MESSAGES = 1000
"""After this many matching messages in order, the stream counts as a repetition."""

Hashed = tuple[NewEvent, int]
"""An event and the `content_hash` of its message."""


class Replay:
    """Compares the messages of one connection with `known`, the hashes of all messages before it.

    A 0 in `known` matches any message.
    """

    def __init__(self, known: array[int]) -> None:
        self._known = known
        self._length = len(known)
        # Indexes in `known` that the next message may match, in ascending order. None: any index may match.
        self._places: list[int] | None = None if known else []
        self._held: list[Hashed] = []
        self._complete = 0
        self._proven = False

    def take(self, event: NewEvent, digest: int) -> list[Hashed]:
        """Return the events that are now known to be new: none while `event` may be a repetition."""
        if self._places == []:
            return [(event, digest)]
        if self._places is None:
            fitting = [place for place, known in enumerate(self._known) if known == digest or (not known and not place)]
        else:
            fitting = [place for place in self._places if self._known[place] in (digest, 0)]
        if not fitting:
            return [*self.release(), (event, digest)]
        if not self._proven:
            self._held.append((event, digest))
            self._proven = len(self._held) > PROOF_MESSAGES
        self._places = [place + 1 for place in fitting if place + 1 < self._length]
        if len(self._places) < len(fitting):
            self._complete = len(self._held)
        if self._proven or not self._places:
            self._held, self._complete = [], 0
        return []

    def release(self) -> list[Hashed]:
        """Return the held events that were new after all. Every later event of this connection is new."""
        new = self._held[self._complete :]
        self._places, self._held = [], []
        return new
