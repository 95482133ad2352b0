"""An open cold file: its facts, and the rows of its tables for restoring the task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from signalbox.store.cold.facts import ColdFacts
from signalbox.store.cold.places.place import ColdPlace
from signalbox.store.moving.tables import Row, Table


class ColdFile:
    """An open cold file. All methods block. Several threads may use one.

    They raise ColdFileMissing, ColdFileDamaged and ColdPlaceUnavailable.
    """

    facts: ColdFacts

    @classmethod
    def open(cls, place: ColdPlace, name: str, digest: str | None = None) -> Self:
        """Read the footer of a file. With `digest` this raises ColdFileDamaged if it is another file."""
        raise NotImplementedError

    def events(self, since_seq: int = 0) -> Iterator[list[Row]]:
        """Yield the rows of `task_events` after a seq, by seq, a few thousand at a time. See `tables.EVENTS`."""
        raise NotImplementedError

    def rows(self, table: Table) -> Iterator[Row]:
        """Yield the rows of `tables.TASKS`, of a table of `tables.PARTS`, or of `task_unfinished`."""
        raise NotImplementedError

    def contents(self) -> list[tuple[str, int]]:
        """Return the hash and the size of the content of each artifact. Contents that were missing are absent."""
        raise NotImplementedError

    def piece(self, sha256: str, number: int) -> bytes | None:
        """Return a piece of a content, counted from 0. See `ContentReading.content_piece`."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the file."""


def verify(place: ColdPlace, name: str, digest: str | None = None) -> ColdFacts:
    """Read the whole file and check every part. Raises ColdFileDamaged, which names the first damaged part."""
    raise NotImplementedError
