"""A group of live subscribers with the same cursor. A flush writes the same bytes to each of them."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import count

from signalbox.webapp.live.chunk import Chunk
from signalbox.webapp.live.sink import Direct
from signalbox.webapp.live.subscriber import Subscriber

GroupMember = tuple[Subscriber, Direct]


class CursorGroup:
    """Subscribers at one `cursor` that are written to directly. `last_write` is the lane's tick of the last flush."""

    def __init__(self) -> None:
        self.cursor = 0
        self.last_write = 0
        self._members: dict[Subscriber, Direct] = {}
        self._ends: list[tuple[int, int, Subscriber]] = []
        self._numbers = count()
        self._has_left = False
        self._written: set[Subscriber] = set()
        self._next_cursor = 0

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, subscriber: Subscriber) -> bool:
        return subscriber in self._members

    def __iter__(self) -> Iterator[Subscriber]:
        return iter(list(self._members))

    def admit(self, subscriber: Subscriber) -> bool:
        """Add a subscriber that is at the group's cursor and can be written to directly; return False for others."""
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
        """Return the cursor of a member. During a flush some members already have the new events."""
        return self._next_cursor if subscriber in self._written else self.cursor

    def leave(self, subscriber: Subscriber) -> None:
        """Remove a subscriber, and set its own cursor and `events_left`."""
        if subscriber in self._members:
            subscriber.cursor = self.position(subscriber)
            subscriber.events_left = subscriber.ends_at - subscriber.cursor
            subscriber.last_write = max(subscriber.last_write, self.last_write)
            del self._members[subscriber]
            self._has_left = True
            self._written.discard(subscriber)

    def remove_finished(self, seq: int) -> Iterator[Subscriber]:
        """Remove and yield the members whose limit of events is reached at `seq`."""
        while self._ends and self._ends[0][0] <= seq:
            _, _, subscriber = heapq.heappop(self._ends)
            if subscriber in self._members:
                self.leave(subscriber)
                yield subscriber

    def members(self) -> list[GroupMember]:
        """Return all members, in the order in which they are written to."""
        self._has_left = False
        return list(self._members.items())

    def still_members(self, part: list[GroupMember]) -> list[GroupMember]:
        """Return the entries of `part` that are still members."""
        return [member for member in part if member[0] in self._members] if self._has_left else part

    def write(self, chunk: Chunk, part: list[GroupMember]) -> list[Subscriber]:
        """Write to the members in `part`. Return those whose connection is full or closed, without a write."""
        stalled, framed = [], chunk.framed
        for subscriber, (flow, write) in part:
            if flow.write_paused:
                stalled.append(subscriber)
                continue
            try:
                write(framed)
            except RuntimeError:
                # uvloop raises this for a connection that was just closed. The subscriber's sink ends the stream.
                stalled.append(subscriber)
        return stalled

    def mark_written(self, chunk: Chunk, part: list[GroupMember]) -> None:
        """Record that the members in `part` have the chunk, while later members do not have it yet."""
        self._next_cursor = chunk.to_seq
        self._written.update(subscriber for subscriber, _ in self.still_members(part))

    def advance(self, seq: int) -> None:
        """Record that all members have the events up to `seq`."""
        self.cursor = seq
        self._written.clear()
