"""Test that a cold file has all rows of its task, and that damage to any part of it is found and named."""

from __future__ import annotations

import asyncio
import os
import random
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from signalbox.store import NewEvent, Store, UnknownTask
from signalbox.store.cold.errors import ColdFileMissing, ColdPlaceUnavailable, NotAColdFile, TaskChanged
from signalbox.store.cold.file import ColdFile
from signalbox.store.cold.pack import pack
from signalbox.store.cold.places.directory import ColdDirectory
from signalbox.store.cold.source import SMALL, TaskRows
from signalbox.store.cold.verify import verify
from signalbox.store.errors import ColdFileDamaged
from signalbox.store.moving.tables import PARTS, TASKS
from tests.store.cold.conftest import ARTIFACT, SIZE

NAME = "one.cold"


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signalbox.store.cold.pack.MAX_EVENTS", 64)
    monkeypatch.setattr("signalbox.store.cold.state_keeper.STEP", 600)


async def test_a_file_has_every_row_of_the_task(kept: Store, place: ColdDirectory) -> None:
    facts = await pack(kept.raw_rows, "t0", place, NAME)  # type: ignore[attr-defined]
    assert (facts.task_id, facts.events, facts.first_seq, facts.last_seq) == ("t0", SIZE + 2, 1, SIZE + 2)
    assert facts.size == (place.path / NAME).stat().st_size
    source = TaskRows(kept.raw_rows)  # type: ignore[attr-defined]
    with closing(ColdFile.open(place, NAME, facts.digest)) as file:
        assert file.facts == facts
        assert list(file.rows(TASKS)) == [await source.task("t0")]
        stored = [row async for rows in source.events("t0", SIZE + 2) for row in rows]
        assert [row for rows in file.events() for row in rows] == stored
        assert [row for rows in file.events(600) for row in rows] == stored[600:]
        assert (facts.first_event_id, facts.last_event_id) == (stored[0][0], stored[-1][0])
        for table in (*PARTS, *SMALL):
            rows = [row async for page in source.part(table, "t0") for row in page]
            assert sorted(file.rows(table)) == sorted(rows), table.name
        sizes = dict(file.contents())
        big = next(sha256 for sha256, size in sizes.items() if size == len(ARTIFACT))
        assert b"".join(file.piece(big, number) or b"" for number in range(9)) == ARTIFACT
        assert file.piece(big, 9) is None
        assert len(file.footer.states) > 1


async def test_packing_twice_writes_the_same_bytes(kept: Store, place: ColdDirectory) -> None:
    await pack(kept.raw_rows, "t1", place, "a.cold")  # type: ignore[attr-defined]
    await pack(kept.raw_rows, "t1", place, "b.cold")  # type: ignore[attr-defined]
    assert (place.path / "a.cold").read_bytes() == (place.path / "b.cold").read_bytes()
    assert list(place.names()) == ["a.cold", "b.cold"]


async def test_a_task_without_events_is_packed(kept: Store, place: ColdDirectory) -> None:
    kept.create_task("empty")
    facts = await pack(kept.raw_rows, "empty", place, NAME)  # type: ignore[attr-defined]
    assert (facts.events, facts.last_seq, facts.first_event_id) == (0, 0, 0)
    assert verify(place, NAME, facts.digest) == facts
    with pytest.raises(UnknownTask):
        await pack(kept.raw_rows, "none", place, "none.cold")  # type: ignore[attr-defined]


async def test_a_task_that_changes_meanwhile_is_not_stored(
    kept: Store, place: ColdDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.create_task("busy")
    read = TaskRows.events

    async def appending(self: TaskRows, task_id: str, until_seq: int) -> Any:
        async for rows in read(self, task_id, until_seq):
            yield rows
        await kept.aappend("busy", [NewEvent(event_type="log", payload={"message": "late"})])

    monkeypatch.setattr(TaskRows, "events", appending)
    with pytest.raises(TaskChanged):
        await pack(kept.raw_rows, "busy", place, NAME)  # type: ignore[attr-defined]
    assert list(place.names()) == []


@pytest.fixture(scope="module")
def packed(kept: Store, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a good file."""
    place = ColdDirectory(tmp_path_factory.mktemp("packed"))
    asyncio.run(pack(kept.raw_rows, "t0", place, NAME))  # type: ignore[attr-defined]
    return (place.path / NAME).read_bytes()


def damaged(folder: Path, content: bytes) -> ColdDirectory:
    (folder / NAME).write_bytes(content)
    return ColdDirectory(folder)


@pytest.mark.long
def test_every_changed_byte_is_found(packed: bytes, tmp_path: Path) -> None:
    choose = random.Random(14)
    for at in [0, 5, len(packed) - 1, len(packed) - 60, *choose.sample(range(len(packed)), 60)]:
        content = bytearray(packed)
        content[at] ^= 1 << choose.randrange(8)
        with pytest.raises(ColdFileDamaged):
            verify(damaged(tmp_path, bytes(content)), NAME)


def test_a_truncated_file_is_found(packed: bytes, tmp_path: Path) -> None:
    for length in (0, 1, 30, 1000, len(packed) // 2, len(packed) - 1):
        with pytest.raises(NotAColdFile, match=r"truncated|another kind"):
            verify(damaged(tmp_path, packed[:length]), NAME)


@pytest.mark.parametrize("content", [b"PK\x03\x04" * 100, b"SQLite format 3\x00" * 200, b"\x00" * 5000])
def test_a_foreign_file_is_found(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(
        NotAColdFile, match=r"the cold file one\.cold has no end: it is truncated, or another kind of file"
    ):
        ColdFile.open(damaged(tmp_path, content), NAME)


def test_the_error_names_the_damaged_part(packed: bytes, tmp_path: Path) -> None:
    with closing(ColdFile.open(damaged(tmp_path, packed), NAME)) as file:
        block, image = file.footer.blocks[0], file.footer.image[0]
        digest = file.facts.digest
    for part, name in ((block, f"the block of the events #{block.first_seq} to"), (image, "piece 1 of the image")):
        content = bytearray(packed)
        content[part.offset + part.length // 2] ^= 4
        place = damaged(tmp_path, bytes(content))
        with pytest.raises(ColdFileDamaged, match=f"{name}.* has another hash"):
            verify(place, NAME, digest)
    with pytest.raises(ColdFileDamaged, match="another file"):
        verify(damaged(tmp_path, packed), NAME, "0" * 64)


def test_a_missing_file_is_an_error_that_names_the_place(place: ColdDirectory) -> None:
    with pytest.raises(ColdFileMissing, match=f"the cold file one.cold is missing in {place.path}"):
        ColdFile.open(place, NAME)
    place.delete(NAME)


def test_a_pipe_at_the_place_of_a_file_makes_nobody_wait(place: ColdDirectory) -> None:
    place.path.mkdir()
    os.mkfifo(place.path / NAME)
    with pytest.raises(ColdPlaceUnavailable, match="not a regular file"):
        place.read(NAME, 0, 10)
