"""Telling what comes again from what is new, where an upstream gives no ids.

An upstream may begin anew on each connection, or with its last lines, or just go on. What comes is compared with what
is known: as long as it runs along there it is held, and forgotten once it has reached the end. When it turns out to be
something else it was new.
"""

from __future__ import annotations

from array import array

from signalbox.store.events import NewEvent

PROOF = 1000
"""Messages in the known order after which nobody doubts that they come again."""

Seen = tuple[NewEvent, int]
"""An event and the hash of its message."""


class Replay:
    """One connection's messages against `known`, the hashes of all that came before; a zero there may be anything."""

    def __init__(self, known: array[int]) -> None:
        self._known = known
        self._length = len(known)
        # Where in `known` the next message may be. The first of them supposes most to be a repetition.
        self._places: list[int] | None = None if known else []
        self._held: list[Seen] = []
        self._complete = 0
        self._proven = False

    def take(self, event: NewEvent, digest: int) -> list[Seen]:
        """What is new now: nothing while `event` may be a repetition, else it and what was held in vain."""
        if self._places == []:
            return [(event, digest)]
        if self._places is None:
            fitting = [place for place, known in enumerate(self._known) if known == digest or (not known and not place)]
        else:
            fitting = [place for place in self._places if self._known[place] in (digest, 0)]
        if not fitting:
            return [*self.disproved(), (event, digest)]
        if not self._proven:
            self._held.append((event, digest))
            self._proven = len(self._held) > PROOF
        self._places = [place + 1 for place in fitting if place + 1 < self._length]
        if len(self._places) < len(fitting):
            self._complete = len(self._held)
        if self._proven or not self._places:
            self._held, self._complete = [], 0
        return []

    def disproved(self) -> list[Seen]:
        """Something came that is not known: what of the held must have been new. From here on everything is."""
        new = self._held[self._complete :]
        self._places, self._held = [], []
        return new
