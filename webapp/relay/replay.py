"""Separates repeated messages from new ones when an upstream sends no SSE ids.

After a reconnect an upstream may repeat its stream from the start, repeat its last lines, or continue. Incoming
messages are compared with the known ones. While they match a run of known messages they are held back. If the match
reaches the end of the known messages, they were repetitions and are dropped; if it breaks, they were new.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator

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
        self._run_starts: list[int] | None = None
        # Indexes in `known` that the next message may match, as ranges in ascending order. None: any index may match.
        self._places: list[range] | None = None if known else []
        self._held: list[Hashed] = []
        self._complete = 0
        self._proven = False

    def take(self, event: NewEvent, digest: int) -> list[Hashed]:
        """Return the events that are now known to be new: none while `event` may be a repetition."""
        if self._places == []:
            return [(event, digest)]
        fitting = list(self._fitting(digest))
        if not fitting:
            return [*self.release(), (event, digest)]
        if not self._proven:
            self._held.append((event, digest))
            self._proven = len(self._held) > PROOF_MESSAGES
        if fitting[-1].stop == self._length:
            self._complete = len(self._held)
        following = (range(places.start + 1, min(places.stop + 1, self._length)) for places in fitting)
        self._places = [places for places in following if places]
        if self._proven or not self._places:
            self._held, self._complete = [], 0
        return []

    def _fitting(self, digest: int) -> Iterator[range]:
        """Yield the places that `digest` matches.

        Equal messages in a row are compared once, not one by one: an upstream can send thousands of them.
        """
        if self._places is None:
            for run in self._runs(range(self._length)):
                if self._known[run.start] == digest:
                    yield run
                elif not self._known[run.start] and not run.start:
                    yield range(1)
            return
        for places in self._places:
            for run in self._runs(places):
                if self._known[run.start] in (digest, 0):
                    yield run

    def _runs(self, places: range) -> Iterator[range]:
        """Yield `places` in parts, each with equal messages in `known`."""
        if self._run_starts is None:
            known, indexes = self._known, range(1, self._length)
            self._run_starts = [0, *(index for index in indexes if known[index] != known[index - 1]), self._length]
        number = bisect_right(self._run_starts, places.start)
        start = places.start
        while start < places.stop:
            stop = min(self._run_starts[number], places.stop)
            yield range(start, stop)
            start, number = stop, number + 1

    def release(self) -> list[Hashed]:
        """Return the held events that were new after all. Every later event of this connection is new."""
        new = self._held[self._complete :]
        self._places, self._held = [], []
        return new
