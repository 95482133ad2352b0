"""Test moves and restores that meet another one, are cancelled, or have a file that cannot be used."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from signalbox.store import NewEvent, Store, StoreDamaged
from signalbox.store.cold.moves import move as moves
from signalbox.store.cold.moves.move import Move
from signalbox.store.cold.moves.places import new_name
from signalbox.store.contract import ColdTask
from signalbox.store.sql.append import load_task
from signalbox.store.sql.cold_tasks import moving
from signalbox.store.sql.cold_tasks.moving import TaskNotMovable
from signalbox.store.sql.cold_tasks.stages import StoredFile
from signalbox.store.sql.database import Database
from signalbox.store.times import epoch_seconds, timestamp
from tests.store.cold.conftest import MOVED

LINE = NewEvent(event_type="log", payload={"message": "one more line"})


def names_in(files: Path) -> list[str]:
    return sorted(path.name for path in files.iterdir()) if files.is_dir() else []


async def _cold(store: Store) -> list[ColdTask]:
    async with store.read() as view:
        return list(await view.cold_tasks())


async def seqs(store: Store, task_id: str) -> list[int]:
    async with store.read() as view:
        return [event.seq for event in await view.events(task_id, 0, 2 * MOVED)]


async def test_of_two_moves_at_once_one_is_refused(store: Store, files: Path) -> None:
    moved = await asyncio.gather(store.cold.amove("t0"), store.cold.amove("t0"), return_exceptions=True)
    (done,) = [task for task in moved if isinstance(task, ColdTask)]
    (refused,) = [error for error in moved if isinstance(error, TaskNotMovable)]
    assert "is being moved now" in str(refused)
    assert names_in(files) == [done.name]
    assert (await store.cold.averify("t0")).events == MOVED
    assert await seqs(store, "t0") == list(range(1, MOVED + 1))


async def test_a_move_that_is_cancelled_while_it_is_committed_keeps_the_file(
    store: Store, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark, write = moving.mark, Move._write
    marked: list[bool] = []

    def noted(*args: object) -> bool:
        marked.append(mark(*args))  # type: ignore[arg-type]
        return marked[-1]

    async def cancelled(move: Move, work: object) -> object:
        """Do some work. The caller of the work that marks is cancelled and never learns its result."""
        before = len(marked)
        result = await write(move, work)  # type: ignore[arg-type, var-annotated]
        if len(marked) > before:
            raise asyncio.CancelledError
        return result

    monkeypatch.setattr(moving, "mark", noted)
    monkeypatch.setattr(moves.Move, "_write", cancelled)
    with pytest.raises(asyncio.CancelledError):
        await store.cold.amove("t0")
    monkeypatch.undo()
    assert marked == [True]
    assert len(names_in(files)) == 1
    assert await seqs(store, "t0") == list(range(1, MOVED + 1))
    assert (await store.aappend("t0", LINE))[0].seq == MOVED + 1
    assert names_in(files) == []


async def test_a_move_that_cannot_be_finished_stops_nothing_else(store: Store, files: Path) -> None:
    for task_id in ("t0", "t2"):
        await store.cold.amove(task_id)
    (name,) = [task.name for task in await _cold(store) if task.task_id == "t0"]

    def interrupt(db: Database) -> None:
        db.execute("UPDATE cold_tasks SET stage = 'clearing', held_until = NULL")

    store._writer.run(interrupt)  # type: ignore[attr-defined]
    (files / name).rename(files / "away")
    finished = await store.cold.afinish()
    assert finished.tasks == ["t2"]
    assert f"cold file {name}" in finished.failed["t0"]
    assert [task.stage for task in await _cold(store)] == ["clearing", "cold"]


async def test_a_missing_file_is_named_and_the_rest_goes_on(store: Store, files: Path) -> None:
    moved = await store.cold.amove("t0")
    (files / moved.name).unlink()
    for call in (store.aappend("t0", LINE), store.cold.arestore("t0"), store.cold.averify("t0")):
        with pytest.raises(StoreDamaged, match=f"cold file {moved.name}.*missing"):
            await call
    assert (await store.aappend("t1", LINE))[0].seq == MOVED + 1
    assert [task.task_id for task in (await _cold(store))] == ["t0"]
    await store.adelete_task("t0", actor="ann")


async def test_a_damaged_file_is_not_brought_back(store: Store, files: Path) -> None:
    moved = await store.cold.amove("t0")
    content = bytearray((files / moved.name).read_bytes())
    content[len(content) // 2] ^= 1
    (files / moved.name).write_bytes(content)
    for call in (store.aappend("t0", LINE), store.cold.averify("t0")):
        with pytest.raises(StoreDamaged, match="is damaged"):
            await call
    assert len(names_in(files)) == 1


async def test_a_restore_that_cannot_be_finished_stops_nothing_else(store: Store, files: Path) -> None:
    for task_id in ("t0", "t2"):
        await store.cold.amove(task_id)
    (name,) = [task.name for task in await _cold(store) if task.task_id == "t0"]
    content = (files / name).read_bytes()
    (files / name).write_bytes(content[:-20])
    with pytest.raises(StoreDamaged):
        await store.cold.arestore("t0")
    left = new_name(store.epoch)
    (files / left).write_bytes(b"x")
    finished = await store.cold.afinish()
    assert (finished.tasks, finished.files) == ([], [left])
    assert "truncated" in finished.failed["t0"]
    (files / name).write_bytes(content)
    assert (await store.cold.afinish()).tasks == ["t0"]
    assert (await store.aappend("t0", LINE))[0].seq == MOVED + 1


@pytest.mark.parametrize("stage", ["packing", "restoring"])
async def test_a_clock_that_is_set_back_keeps_no_task_held(store: Store, stage: str) -> None:
    """The process that held the task was killed. Its hold seems to last until the clock is right again."""
    await store.cold.amove("t0")
    if stage == "packing":
        await store.cold.arestore("t0")

    def hold_for_a_day(db: Database) -> None:
        until = timestamp(epoch_seconds(db.now()) + 86_400)
        if stage == "packing":
            task = load_task(db, "t0")
            assert task is not None
            moving.begin(db, "t0", task.identity, "killed", StoredFile("", "killed"))
        db.execute("UPDATE cold_tasks SET stage = ?, holder = 'killed', held_until = ?", (stage, until))

    store.writer.run(hold_for_a_day)  # type: ignore[attr-defined]
    async with asyncio.timeout(30):
        if stage == "packing":
            await store.cold.amove("t0")
        else:
            assert await store.cold.arestore("t0")
