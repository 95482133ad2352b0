"""Blocks of events: columns that are compressed one by one, so that a read decodes only those that it needs."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Sequence
from typing import Any

from signalbox.store.cold.columns import decoded, encoded
from signalbox.store.cold.facts import EventBlock, FilePart
from signalbox.store.cold.links import FIELDS, compact, completed
from signalbox.store.cold.zstandard import ZstdError, compressed, decompressed
from signalbox.store.events import HEARTBEAT
from signalbox.store.failures import reports_failure
from signalbox.store.moving.tables import EVENTS, Row

MAX_EVENTS = 2048
"""Events of a block."""

MAX_BYTES = 512 * 1024
"""A block ends with the event whose payload reaches this size, in characters of all payloads."""

_PLACES = {name: place for place, name in enumerate(EVENTS.names)}


class Numbering:
    """Numbers the different values of a column."""

    def __init__(self) -> None:
        self.found: dict[str, int] = {}

    def counts(self, values: Sequence[str | None]) -> list[tuple[int, int]]:
        """Return the number of each value and how many rows have it."""
        counted = Counter(value for value in values if value is not None)
        return sorted((self.found.setdefault(value, len(self.found)), count) for value, count in counted.items())


class Indexer:
    """Computes the values of blocks by which reads find them."""

    def __init__(self) -> None:
        self.types, self.phases, self.actors = Numbering(), Numbering(), Numbering()

    def block(self, part: FilePart, columns: Sequence[Sequence[Any]]) -> EventBlock:
        """Return the entry of a block for the footer."""
        column = {name: columns[place] for name, place in _PLACES.items()}
        times = [
            occurred or created for occurred, created in zip(column["occurred_at"], column["created_at"], strict=True)
        ]
        typed = list(zip(column["event_type"], column["payload"], strict=True))
        return EventBlock(
            offset=part.offset,
            length=part.length,
            sha256=part.sha256,
            events=len(times),
            first_seq=column["seq"][0],
            last_seq=column["seq"][-1],
            first_event_id=min(column["event_id"]),
            last_event_id=max(column["event_id"]),
            first_time=min(times),
            last_time=max(times),
            failures=sum(event_type != HEARTBEAT and reports_failure(event_type, text) for event_type, text in typed),
            changing=column["quiet"].count(None),
            errors=sum(event_type == "log" and '"stream":"stderr"' in text.lower() for event_type, text in typed),
            plain=len(times) - column["plain"].count(None),
            types=self.types.counts(column["event_type"]),
            phases=self.phases.counts(column["phase"]),
            actors=self.actors.counts(column["actor"]),
        )


def packed_columns(columns: Sequence[Sequence[Any]]) -> bytes:
    """Return the bytes of a block: the length of each compressed column, then the columns."""
    named = {name: columns[place] for name, place in _PLACES.items()}
    links = compact(named["link"], list(zip(*(named[name] for name in FIELDS), strict=True)))
    stored = [links if place == _PLACES["link"] else list(column) for place, column in enumerate(columns)]
    frames = [compressed(encoded(column)) for column in stored]
    return struct.pack(f"<{len(frames)}I", *map(len, frames)) + b"".join(frames)


class BlockReader:
    """Decodes the columns of a block. Raises ValueError if a column is not valid."""

    def __init__(self, content: bytes, names: Sequence[str], events: int) -> None:
        try:
            lengths = struct.unpack_from(f"<{len(names)}I", content)
        except struct.error as error:
            raise ValueError("is too short") from error
        self._content, self._events = content, events
        self._places = dict[str, tuple[int, int]]()
        at = 4 * len(names)
        for name, length in zip(names, lengths, strict=True):
            self._places[name] = at, at + length
            at += length

    def text(self, name: str) -> bytes:
        """Return a column as it is encoded, b"" if the file has no such column."""
        first, end = self._places.get(name, (0, 0))
        try:
            return decompressed(self._content[first:end]) if end else b""
        except ZstdError as error:
            raise ValueError(f"has the column {name}, which cannot be decompressed: {error}") from error

    def column(self, name: str, low: int = 0, high: int | None = None) -> list[Any]:
        """Return the values of a column, or those of the rows from `low` to before `high`.

        All are None if the file is older than the column.
        """
        content = self.text(name)
        try:
            if not content:
                return ([None] * self._events)[low:high]
            if name == "link":
                return completed(decoded(content, self._events), self.rows(FIELDS))[low:high]
            return decoded(content, self._events, low, high)
        except (ValueError, TypeError, IndexError, AttributeError) as error:
            raise ValueError(f"has the column {name}, which cannot be read: {error}") from error

    def rows(self, names: Sequence[str] = EVENTS.names, low: int = 0, high: int | None = None) -> list[Row]:
        """Return these columns, row by row, of all events or of those from `low` to before `high`."""
        return list(zip(*(self.column(name, low, high) for name in names), strict=True))
