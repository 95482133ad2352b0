"""Events of a block by their seqs, decoded without loading the block into the temporary database of its file.

A block has hundreds of events or more, and a read of a part of the log needs few of them. Loading inserts every row
into a table with an index, which takes several times as long as decoding.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from signalbox.store.cold.file import ColdFile
from signalbox.store.events import Event
from signalbox.store.sql.heartbeats import SeqRange
from signalbox.store.sql.rows import COLUMNS, events_of
from signalbox.store.sql.short_payloads import MAX_PAYLOAD_CHARS, shortened

EVENT_COLUMNS = tuple(name.strip() for name in COLUMNS.split(","))

_PAYLOAD = EVENT_COLUMNS.index("payload")


Slice = tuple[int, int]
"""Rows of a block: the first one, and the one after the last."""

Choose = Callable[[Sequence[int]], list[Slice]]
"""Returns the rows that a read needs, from the seqs of all events of a block."""


def events_after(seq: int, limit: int) -> Choose:
    """Choose the first `limit` events after a seq."""

    def choose(seqs: Sequence[int]) -> list[Slice]:
        first = bisect_right(seqs, seq)
        return [(first, min(first + limit, len(seqs)))]

    return choose


def events_before(seq: int, limit: int) -> Choose:
    """Choose the last `limit` events before a seq."""

    def choose(seqs: Sequence[int]) -> list[Slice]:
        end = bisect_left(seqs, seq)
        return [(max(0, end - limit), end)]

    return choose


def within(ranges: Sequence[SeqRange]) -> Choose:
    """Choose the events in ranges of seqs, in the order of the ranges."""

    def choose(seqs: Sequence[int]) -> list[Slice]:
        return [(bisect_left(seqs, first), bisect_right(seqs, last)) for first, last in ranges]

    return choose


def events_in(file: ColdFile, number: int, choose: Choose, *, brief: bool = False) -> list[Event]:
    """Return the chosen events of a block. `brief` shortens long payloads, as the views of a database do.

    Raises ColdFileDamaged.
    """
    with file.decoding(number) as block:
        slices = choose(block.column("seq"))
        low, high = min(first for first, _ in slices), max(end for _, end in slices)
        rows = block.rows(EVENT_COLUMNS, low, high)
    chosen = [row for first, end in slices for row in rows[first - low : end - low]]
    return events_of(list(map(_brief, chosen)) if brief else chosen)


def changing_events_in(file: ColdFile, number: int, since_seq: int, until_seq: int) -> list[Event]:
    """Return the events of a block in `(since_seq, until_seq]` that change more than counters."""
    with file.decoding(number) as block:
        seqs = block.column("seq")
        low, high = bisect_right(seqs, since_seq), bisect_right(seqs, until_seq)
        changing = [place for place, quiet in enumerate(block.column("quiet", low, high)) if quiet is None]
        columns = [block.column(name, low, high) for name in EVENT_COLUMNS]
    return events_of([tuple(column[place] for column in columns) for place in changing])


def _brief(row: Sequence[Any]) -> Sequence[Any]:
    """Return a row with its payload as `payloads.BRIEF` returns it, and with `payloads.CUT_FROM`."""
    payload = row[_PAYLOAD]
    if len(payload) <= MAX_PAYLOAD_CHARS:
        return (*row, None)
    return (*row[:_PAYLOAD], shortened(payload), *row[_PAYLOAD + 1 :], len(payload.encode()))
