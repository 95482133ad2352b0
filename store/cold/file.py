"""An open cold file: its footer, its parts, and the rows of its tables for restoring the task."""

from __future__ import annotations

import os
import sqlite3
import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Self

import msgspec

from signalbox.store.cold.blocks import BlockReader
from signalbox.store.cold.errors import ColdFileTooNew, ColdFileUnreadable
from signalbox.store.cold.facts import ColdFacts, FileFooter, FilePart, PackedContent
from signalbox.store.cold.image import open_image, select
from signalbox.store.cold.layout import TAIL, block_name, check, footer_of, footer_place, name_of
from signalbox.store.cold.places.place import ReadablePlace
from signalbox.store.cold.states import partial_states, state_of, whole_states
from signalbox.store.cold.temporary import temporary_file
from signalbox.store.cold.zstandard import ZstdError, decompressed
from signalbox.store.errors import ColdFileDamaged, SchemaTooNew
from signalbox.store.moving.tables import EVENTS, Row, Table
from signalbox.store.state import TaskState


class ColdFile:
    """An open cold file. All methods block. Several threads may use one.

    They raise ColdFileMissing, ColdFileDamaged and ColdPlaceUnavailable.
    """

    def __init__(self, place: ReadablePlace, name: str, footer: FileFooter, facts: ColdFacts) -> None:
        self.place, self.name, self.footer, self.facts = place, name, footer, facts
        self._image: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    @classmethod
    def open(cls, place: ReadablePlace, name: str, digest: str | None = None) -> Self:
        """Read the footer of a file. With `digest` this raises ColdFileDamaged if it is another file."""
        size = place.size(name)
        start = max(0, size - TAIL)
        tail = place.read(name, start, TAIL)
        offset, length, sha256 = footer_place(name, tail)
        content = tail[offset - start :][:length] if offset >= start else place.read(name, offset, length)
        footer = footer_of(name, content, sha256)
        if digest is not None and sha256.hex() != digest:
            raise ColdFileDamaged(name, "the footer", "belongs to another file than the one that was stored")
        return cls(place, name, footer, footer.facts(size, sha256.hex()))

    # parts

    def part(self, part: FilePart) -> bytes:
        """Return the content of a part after a check of its hash."""
        content = self.place.read(self.name, part.offset, part.length)
        try:
            check(self.name, "", content, part.sha256, part.length)
        except ColdFileDamaged:
            check(self.name, name_of(part, self.footer), content, part.sha256, part.length)
        return content

    @contextmanager
    def decoding(self, number: int) -> Iterator[BlockReader]:
        """Yield a block of events. A ValueError in the block means damage, and is raised as ColdFileDamaged."""
        block = self.footer.blocks[number]
        try:
            yield BlockReader(self.part(block), self.footer.columns, block.events)
        except ValueError as error:
            raise ColdFileDamaged(self.name, block_name(block), str(error)) from error

    def block_rows(self, number: int, names: Sequence[str] = EVENTS.names) -> list[Row]:
        """Return these columns of the events of a block."""
        with self.decoding(number) as block:
            return block.rows(names)

    def open_image(self) -> sqlite3.Connection:
        """Return a new connection to a copy of the image, which ends with the connection."""
        try:
            descriptor, path = temporary_file()
        except OSError as error:
            raise self._unreadable(error) from error
        try:
            with os.fdopen(descriptor, "wb") as file:
                for part in self.footer.image:
                    file.write(decompressed(self.part(part)))
            return open_image(path)
        except SchemaTooNew as error:
            raise ColdFileTooNew(self.name, f"was written by a newer Signalbox: {error}") from error
        except sqlite3.OperationalError as error:
            raise self._unreadable(error) from error
        except (ZstdError, sqlite3.DatabaseError) as error:
            raise ColdFileDamaged(self.name, "the image", f"cannot be read: {error}") from error
        except OSError as error:
            raise self._unreadable(error) from error
        finally:
            path.unlink(missing_ok=True)

    def _unreadable(self, error: Exception) -> ColdFileUnreadable:
        return ColdFileUnreadable(f"there is no room to read the cold file {self.name}: {error}", retry_after=30.0)

    @property
    def has_partial_states(self) -> bool:
        """Whether the stored states need the image: see `states.complete`."""
        return self.footer.states_of == partial_states()

    def state(self, seq: int, after: int = 0) -> TaskState | None:
        """Return the last stored state up to a seq, or None if there is none after the seq `after`."""
        if not self.has_partial_states and self.footer.states_of != whole_states():
            return None
        number = bisect_right(self.footer.states, seq, key=attrgetter("seq")) - 1
        if number < 0 or self.footer.states[number].seq <= after:
            return None
        return self.stored_state(number)

    def stored_state(self, number: int) -> TaskState:
        """Return a stored state by its number in the footer."""
        stored = self.footer.states[number]
        try:
            return state_of(self.part(stored))
        except (ZstdError, msgspec.MsgspecError) as error:
            raise ColdFileDamaged(self.name, f"the state at #{stored.seq}", f"cannot be read: {error}") from error

    # rows

    def events(self, since_seq: int = 0) -> Iterator[list[Row]]:
        """Yield the rows of `task_events` after a seq, by seq, a few thousand at a time. See `tables.EVENTS`."""
        for number, block in enumerate(self.footer.blocks):
            if block.last_seq > since_seq:
                yield [row for row in self.block_rows(number) if row[2] > since_seq]

    def rows(self, table: Table) -> Iterator[Row]:
        """Yield the rows of `tables.TASKS`, of a table of `tables.PARTS`, or of `source.SMALL`."""
        with self._lock:
            if self._image is None:
                self._image = self.open_image()
        try:
            yield from self._image.execute(select(table))
        except sqlite3.DatabaseError as error:
            raise ColdFileDamaged(self.name, "the image", f"cannot be read: {error}") from error

    def contents(self) -> list[tuple[str, int]]:
        """Return the hash and the size of the content of each artifact. Contents that were missing are absent."""
        return [(content.sha256, content.size) for content in self.footer.contents]

    def piece(self, sha256: str, number: int) -> bytes | None:
        """Return a piece of a content, counted from 0. See `ContentReading.content_piece`."""
        content = self._content(sha256)
        if content is None or not 0 <= number < len(content.pieces):
            return None
        try:
            return decompressed(self.part(content.pieces[number]))
        except ZstdError as error:
            raise ColdFileDamaged(self.name, f"the artifact {sha256}", f"cannot be read: {error}") from error

    def _content(self, sha256: str) -> PackedContent | None:
        return next((content for content in self.footer.contents if content.sha256 == sha256), None)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            image, self._image = self._image, None
        if image is not None:
            image.close()
