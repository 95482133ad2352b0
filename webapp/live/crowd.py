"""The crowd: live subscribers that share one cursor, so that a flush needs one write and no bookkeeping for each."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import count

from signalbox.webapp.live.chunk import Chunk
from signalbox.webapp.live.sink import Direct
from signalbox.webapp.live.subscriber import Subscriber

CrowdMember = tuple[Subscriber, Direct]


class Crowd:
    """Subscribers at one `cursor` that are written to directly; `last_write` is the lane's tick of the last write."""

    def __init__(self) -> None:
        self.cursor = 0
        self.last_write = 0
        self._members: dict[Subscriber, Direct] = {}
        self._ends: list[tuple[int, int, Subscriber]] = []
        self._numbers = count()
        self._left = False
        self._written: set[Subscriber] = set()
        self._next = 0

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, subscriber: Subscriber) -> bool:
        return subscriber in self._members

    def __iter__(self) -> Iterator[Subscriber]:
        return iter(list(self._members))

    def admit(self, subscriber: Subscriber) -> bool:
        """Add a subscriber at the crowd's cursor that can be written to directly; return False for any other."""
        direct = subscriber.direct
        if direct is None or (self._members and subscriber.cursor != self.cursor):
            return False
        self.cursor = subscriber.cursor
        self._members[subscriber] = direct
        subscriber.ends_at = self.cursor + subscriber.events_left
        heapq.heappush(self._ends, (subscriber.ends_at, next(self._numbers), subscriber))
        if len(self._ends) > 2 * len(self._members) + 64:
            self._ends = [entry for entry in self._ends if entry[2] in self._members]
            heapq.heapify(self._ends)
        return True

    def position(self, subscriber: Subscriber) -> int:
        """Return the cursor of a member. During a write some members already have the new events."""
        return self._next if subscriber in self._written else self.cursor

    def leave(self, subscriber: Subscriber) -> None:
        """Remove a subscriber, and set its own cursor and `events_left`."""
        if subscriber in self._members:
            subscriber.cursor = self.position(subscriber)
            subscriber.events_left = subscriber.ends_at - subscriber.cursor
            subscriber.last_write = max(subscriber.last_write, self.last_write)
            del self._members[subscriber]
            self._left = True
            self._written.discard(subscriber)

    def ending(self, seq: int) -> Iterator[Subscriber]:
        """Return the members that may get no event after `seq`."""
        while self._ends and self._ends[0][0] <= seq:
            _, _, subscriber = heapq.heappop(self._ends)
            if subscriber in self._members:
                self.leave(subscriber)
                yield subscriber

    def members(self) -> list[CrowdMember]:
        """All members in the order of writing."""
        self._left = False
        return list(self._members.items())

    def present(self, part: list[CrowdMember]) -> list[CrowdMember]:
        """Return the entries of `part` that are still members."""
        return [member for member in part if member[0] in self._members] if self._left else part

    def write(self, chunk: Chunk, part: list[CrowdMember]) -> list[Subscriber]:
        """Write to these members. Return those whose connection is full or closed; they got nothing."""
        stalled, framed = [], chunk.framed
        for subscriber, (flow, put) in part:
            if flow.write_paused:
                stalled.append(subscriber)
                continue
            try:
                put(framed)
            except RuntimeError:
                # uvloop raises this for a connection that was just closed. The subscriber's sink ends the stream.
                stalled.append(subscriber)
        return stalled

    def written(self, chunk: Chunk, part: list[CrowdMember]) -> None:
        """Note that `part` has been written to while other members have not."""
        self._next = chunk.to_seq
        self._written.update(subscriber for subscriber, _ in self.present(part))

    def advance(self, seq: int) -> None:
        """Note that all members have been written to, up to `seq`."""
        self.cursor = seq
        self._written.clear()
