"""Packing a task: its rows, read in short reads, become one file."""

from __future__ import annotations

import asyncio
import errno
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from signalbox.store.artifacts import ArtifactContent
from signalbox.store.cold.blocks import MAX_BYTES, MAX_EVENTS, Indexer, packed_columns
from signalbox.store.cold.errors import TaskChanged, UnpackableTask
from signalbox.store.cold.facts import FORMAT, ColdFacts, EventBlock, FileFooter, FilePart, FoldedState, PackedContent
from signalbox.store.cold.image import ImageWriter
from signalbox.store.cold.layout import FileWriter
from signalbox.store.cold.places.directory import ColdDirectory
from signalbox.store.cold.places.place import ColdPlace
from signalbox.store.cold.source import SMALL, TaskRows
from signalbox.store.cold.state_keeper import StateKeeper
from signalbox.store.cold.states import partial_states
from signalbox.store.cold.temporary import temporary_folder
from signalbox.store.cold.verify import verify
from signalbox.store.cold.zstandard import compressed
from signalbox.store.errors import StoreFull, StoreUnavailable, UnknownTask, UnreadableTask
from signalbox.store.moving.tables import EVENTS, PARTS, TASKS, Row, Table
from signalbox.store.sql.raw_rows import RawRows
from signalbox.store.sql.rows import stored_task

IMAGE_PIECE = 4 * 1024 * 1024
"""Bytes of the image that are compressed together."""

_PAYLOAD, _SPAN = EVENTS.places("payload", "span_id")
_SHA256 = next(table for table in PARTS if table.name == "task_artifacts").names.index("sha256")


async def pack(raw: RawRows, task_id: str, place: ColdPlace, name: str) -> ColdFacts:
    """Write the file of a task and store it at the place under this new name, durably. Return its facts.

    `raw` is the attribute `raw_rows` of a store in a database.
    The file is verified before it is stored. Equal rows make equal files. The rows of the task stay as they are. Raises
    UnknownTask, TaskChanged, UnpackableTask, StoreFull, StoreUnavailable, and ColdPlaceUnavailable.
    """
    source = TaskRows(raw)
    row = await source.task(task_id)
    if row is None:
        raise UnknownTask(task_id)
    with _folder() as folder:
        file = folder / name
        packer = await asyncio.to_thread(_Packer, task_id, row, file)
        try:
            async for rows in source.events(task_id, row[TASKS.names.index("last_seq")]):
                await asyncio.to_thread(packer.add, rows)
            for table in (*PARTS, *SMALL):
                async for rows in source.part(table, task_id):
                    await asyncio.to_thread(packer.insert, table, rows)
                    if table.name == "task_artifacts":
                        await _add_contents(source, packer, [found[_SHA256] for found in rows])
            if await source.task(task_id) != row:
                raise TaskChanged(task_id)
            digest = await asyncio.to_thread(packer.finish)
        finally:
            await asyncio.to_thread(packer.close)
        facts = await asyncio.to_thread(verify, ColdDirectory(folder), name, digest)
        await asyncio.to_thread(place.store, name, file)
    return facts


async def _add_contents(source: TaskRows, packer: _Packer, hashes: Sequence[str]) -> None:
    for sha256 in hashes:
        size = await source.content(sha256)
        if size is None or packer.has_content(sha256):
            continue
        pieces = []
        for number in range(ArtifactContent(sha256, size).pieces):
            piece = await source.piece(sha256, number)
            if piece is None:
                raise UnpackableTask(packer.task_id, f"a piece of the artifact {sha256} is missing")
            pieces.append(await asyncio.to_thread(packer.compressed_part, piece))
        packer.add_content(PackedContent(sha256=sha256, size=size, pieces=pieces))


class _Packer:
    """Writes the file of one task."""

    def __init__(self, task_id: str, row: Row, path: Path) -> None:
        self.task_id = task_id
        self._row = dict(zip(TASKS.names, row, strict=True))
        try:
            self._states = StateKeeper(stored_task(task_id, self._row["state"]))
        except UnreadableTask as error:
            raise UnpackableTask(task_id, "its state cannot be read") from error
        self._image_path = path.with_name("image")
        self.image = ImageWriter(self._image_path)
        self.image.insert(TASKS, [row])
        self._file, self._path = FileWriter(path), path
        self._index, self._blocks = Indexer(), list[EventBlock]()
        self._waiting, self._waiting_chars = list[Row](), 0
        self._contents = dict[str, PackedContent]()

    def add(self, rows: Sequence[Row]) -> None:
        """Add the next events of the task."""
        for row in rows:
            self._waiting.append(row)
            self._waiting_chars += len(row[_PAYLOAD])
            if len(self._waiting) >= MAX_EVENTS or self._waiting_chars >= MAX_BYTES:
                self._write_block()

    def _write_block(self) -> None:
        rows, self._waiting, self._waiting_chars = self._waiting, [], 0
        if rows:
            columns = list(zip(*rows, strict=True))
            part = self._file.part(packed_columns(columns))
            self.image.insert_spans(len(self._blocks), columns[_SPAN])
            self._blocks.append(self._index.block(part, columns))
            self._states.add(rows)

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        """Add rows of another table. All events were added before."""
        self._write_block()
        self.image.insert(table, rows)
        self._states.compare(table, rows)

    def has_content(self, sha256: str) -> bool:
        """Return whether the file already has this content."""
        return sha256 in self._contents

    def add_content(self, content: PackedContent) -> None:
        """Record a content whose pieces are in the file."""
        self._contents[content.sha256] = content
        self.image.insert_content(content.sha256, content.size)

    def compressed_part(self, content: bytes) -> FilePart:
        """Compress and write one part."""
        return self._file.part(compressed(content))

    def finish(self) -> str:
        """Complete the file. Return its digest."""
        self._write_block()
        self.image.finish()
        with self._image_path.open("rb") as image:
            pieces = [self._file.part(compressed(piece)) for piece in iter(lambda: image.read(IMAGE_PIECE), b"")]
        self._image_path.unlink()
        states = []
        for seq, content in self._states.kept():
            part = self._file.part(content)
            states.append(FoldedState(offset=part.offset, length=part.length, sha256=part.sha256, seq=seq))
        return self._file.finish(
            FileFooter(
                format=FORMAT,
                task_id=self.task_id,
                identity=self._row["identity"],
                updated_at=self._row["updated_at"],
                events=sum(block.events for block in self._blocks),
                columns=list(EVENTS.names),
                types=list(self._index.types.found),
                phases=list(self._index.phases.found),
                actors=list(self._index.actors.found),
                blocks=self._blocks,
                image=pieces,
                states_of=partial_states(),
                states=states,
                contents=list(self._contents.values()),
            )
        )

    def close(self) -> None:
        """Close the files, complete or not."""
        self._file.close()
        self.image.close()


@contextmanager
def _folder() -> Iterator[Path]:
    """Yield a directory for unfinished files, which is deleted at the end of the block."""
    try:
        with temporary_folder() as folder:
            yield folder
    except (OSError, sqlite3.OperationalError) as error:
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        if full or getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            raise StoreFull(f"there is no room for packing a task: {error}") from error
        raise StoreUnavailable(f"a task cannot be packed: {error}", retry_after=30) from error
