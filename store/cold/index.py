"""Finding the blocks of a cold file that a read needs, by the index in the footer."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

from signalbox.store.cold.facts import EventBlock, FileFooter
from signalbox.store.search.documents import BLOCK_EVENTS

Count = Callable[[EventBlock], int]
"""Returns how many events of a block a read may find."""


class BlockIndex:
    """Finds blocks by their numbers, counted from 0."""

    def __init__(self, footer: FileFooter) -> None:
        self.blocks = footer.blocks
        self._last_seqs = [block.last_seq for block in footer.blocks]
        self._last_event_ids = [block.last_event_id for block in footer.blocks]
        self._types = {name: number for number, name in enumerate(footer.types)}
        self._phases = {name: number for number, name in enumerate(footer.phases)}
        self._actors = {name: number for number, name in enumerate(footer.actors)}

    def between(self, first: int, last: int) -> range:
        """Return the blocks with events from the seq `first` to the seq `last`."""
        low = bisect_left(self._last_seqs, first)
        high = bisect_left(self._last_seqs, last, low)
        if high < len(self.blocks) and self.blocks[high].first_seq <= last:
            high += 1
        return range(low, high)

    def first_blocks(
        self, blocks: Sequence[int], limit: int, count: Count, most: int, low: int = 0, high: int = 2**62
    ) -> list[int]:
        """Return the first of these blocks that are sure to have `limit` of the counted events, at most `most` blocks.

        The events must have seqs from `low` to `high`. Blocks without counted events are left out.
        """
        chosen, found = list[int](), 0
        for number in blocks:
            block = self.blocks[number]
            events = count(block)
            if not events:
                continue
            chosen.append(number)
            if low <= block.first_seq and block.last_seq <= high:
                found += events
            elif count is all_events and block.events == block.last_seq - block.first_seq + 1:
                found += min(high, block.last_seq) - max(low, block.first_seq) + 1
            if found >= limit or len(chosen) == most:
                break
        return chosen

    def of_times(self, at: str) -> list[int]:
        """Return the blocks that are sure to have the earliest of the events at the time `at` or later."""
        later = [number for number, block in enumerate(self.blocks) if block.last_time >= at]
        needed = [number for number in later if self.blocks[number].first_time < at]
        begun = [number for number in later if self.blocks[number].first_time >= at]
        if begun:
            earliest = min(self.blocks[number].first_time for number in begun)
            needed += [number for number in begun if self.blocks[number].first_time == earliest]
        return needed

    def of_event_ids(self, after: int) -> list[int]:
        """Return the blocks with events after an event id."""
        return list(range(bisect_right(self._last_event_ids, after), len(self.blocks)))

    def of_log_blocks(self, blocks: Sequence[int]) -> list[int]:
        """Return the blocks with events of these blocks of the log: see `store.search.documents`."""
        found = set[int]()
        for block in blocks:
            first = block * BLOCK_EVENTS
            number = bisect_left(self._last_event_ids, first)
            while number < len(self.blocks) and self.blocks[number].first_event_id < first + BLOCK_EVENTS:
                found.add(number)
                number += 1
        return sorted(found)

    def of_types(self, types: Sequence[str]) -> Count:
        """Return a function that counts events of these types."""
        wanted = {self._types[name] for name in types if name in self._types}
        return lambda block: sum(count for number, count in block.types if number in wanted)

    def of_phase(self, phase: str) -> Count:
        """Return a function that counts events of a phase."""
        wanted = self._phases.get(phase)
        return lambda block: sum(count for number, count in block.phases if number == wanted)

    def of_actor(self, actor: str) -> Count:
        """Return a function that counts events of an actor."""
        wanted = self._actors.get(actor)
        return lambda block: sum(count for number, count in block.actors if number == wanted)


def all_events(block: EventBlock) -> int:
    """Count all events."""
    return block.events


def failures(block: EventBlock) -> int:
    """Count the events that report a failure."""
    return block.failures


def changing(block: EventBlock) -> int:
    """Count the events that change more than counters."""
    return block.changing


def errors(block: EventBlock) -> int:
    """Count the lines of stderr."""
    return block.errors
