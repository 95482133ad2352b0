"""Test that old tasks move to cold storage in the background, and that faults are reported."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from signalbox.store import Event, NewEvent, Store, StoreUnavailable, TaskRecord, open_store
from signalbox.store.cold.moves.places import new_name
from signalbox.store.loops import Loops
from signalbox.store.retention import Retention
from signalbox.store.sql.cold_tasks import moving
from signalbox.store.sql.cold_tasks.stages import StoredFile
from signalbox.store.steady_clock import SteadyClock
from signalbox.webapp.acts.cold_moves import ColdMoves
from tests.support.waiting import wait_until

DAY = 86_400


def add_ended(store: Store, task_id: str, days: float, kind: str | None = None) -> None:
    """Add a task that ended some days ago."""
    at = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="microseconds")[:-6] + "Z"
    record = TaskRecord(task_id=task_id, kind=kind, created_at=at)
    event = Event(0, task_id, 1, "status", None, "runner", "main", None, b'{"status": "done"}', at)  # type: ignore[arg-type]
    store.import_task(record, [event])


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/store.db")
    yield opened
    await opened.aclose()


async def cold(store: Store) -> list[str]:
    async with store.read() as view:
        return [task.task_id for task in await view.cold_tasks()]


async def until(condition: Callable[[], object]) -> None:
    await asyncio.to_thread(wait_until, condition)


async def test_the_rules_choose_which_tasks_move(store: Store) -> None:
    add_ended(store, "old", 40)
    add_ended(store, "new", 20)
    add_ended(store, "kept", 400, "release")
    add_ended(store, "soon", 2, "lint")
    store.append("running", NewEvent(event_type="runner_spawn", payload={"runner_pid": 1}))
    text = '{"rules": [{"kind": "release", "cold_after": "never"}, {"kind": "lint", "cold_after": 1}]}'
    moves = ColdMoves(store, lambda: Retention(text, cold_after=30), Loops(), first_pause=0, idle_pause=0.05)
    await until(lambda: moves.counts.tasks == 2)
    assert await cold(store) == ["old", "soon"]
    assert (moves.moved, moves.failures, moves.warnings) == (2, 0, [])
    await moves.stop()


async def test_what_a_killed_process_left_is_finished_without_any_rule(store: Store, tmp_path: Path) -> None:
    add_ended(store, "old", 40)
    await store.cold.amove("old")
    left = new_name(store.epoch)
    (tmp_path / "store.db.cold" / left).write_bytes(b"unfinished")
    moves = ColdMoves(store, lambda: Retention(), Loops(), first_pause=0, idle_pause=0.05)
    await until(lambda: not (tmp_path / "store.db.cold" / left).exists())
    assert await cold(store) == ["old"]
    await moves.stop()


async def test_the_file_of_the_last_task_goes_although_cold_storage_is_off(store: Store, tmp_path: Path) -> None:
    add_ended(store, "old", 40)
    moved = await store.cold.amove("old")
    file = tmp_path / "store.db.cold" / moved.name
    content = file.read_bytes()
    moves = ColdMoves(store, lambda: Retention(), Loops(), first_pause=0, idle_pause=0.05)
    await until(lambda: moves.counts.tasks == 1)
    await store.adelete_task("old")
    assert not file.exists()
    file.write_bytes(content)  # as if the process was killed before it deleted the file
    await until(lambda: not file.exists())
    await moves.stop()
    file.write_bytes(content)
    moves = ColdMoves(store, lambda: Retention(), Loops(), first_pause=0, idle_pause=0.05)
    await until(lambda: not file.exists())
    await moves.stop()


async def test_a_clock_that_steps_forward_moves_nothing_before_it_stayed_there(store: Store) -> None:
    add_ended(store, "new", 20)
    stepped, running = datetime.now(UTC) + timedelta(days=365), 0.0
    times = iter([datetime.now(UTC)])
    clock = SteadyClock(lambda: next(times, stepped), lambda: running)
    moves = ColdMoves(store, lambda: Retention(cold_after=30), Loops(), first_pause=0, idle_pause=0.05, clock=clock)
    await until(lambda: clock.step)
    assert await cold(store) == []
    running = 3601.0
    await until(lambda: moves.moved)
    assert await cold(store) == ["new"]
    await moves.stop()


async def test_missing_files_and_an_unusable_place_are_reported(store: Store, tmp_path: Path) -> None:
    files = tmp_path / "store.db.cold"
    add_ended(store, "gone", 50)
    moved = await store.cold.amove("gone")
    (files / moved.name).unlink()
    files.rmdir()
    files.write_text("not a directory")
    add_ended(store, "old", 40)
    moves = ColdMoves(store, lambda: Retention(cold_after=30), Loops(), first_pause=0, idle_pause=0.05)
    await until(lambda: len(moves.warnings) == 2)
    assert {code for code, _ in moves.warnings} == {"cold_files_missing", "cold_storage_unavailable"}
    assert not [text for _, text in moves.warnings if str(tmp_path) in text]
    files.unlink()
    await until(lambda: moves.moved)
    await until(lambda: len(moves.warnings) == 1)
    assert await cold(store) == ["gone", "old"]
    for name in ("gone", "old"):
        await store.adelete_task(name)
    await until(lambda: not moves.warnings)
    await moves.stop()


async def test_a_task_that_cannot_move_stops_no_other(store: Store) -> None:
    for number in range(3):
        add_ended(store, f"old-{number}", 40 - number)
    # Another process is moving the oldest one.
    file = StoredFile("", new_name(store.epoch))
    await store.calls.write(lambda db: moving.begin(db, "old-0", None, "another process", file))  # type: ignore[attr-defined]
    moves = ColdMoves(store, lambda: Retention(cold_after=30), Loops(), first_pause=0, idle_pause=0.05)
    await until(lambda: moves.moved == 2)
    assert moves.warnings == [("cold_moves_failed", "1 task could not be moved to cold storage")]
    await moves.stop()


async def test_a_failed_turn_is_tried_again_without_the_idle_pause(store: Store) -> None:
    loops, broken = Loops(), True

    def rules() -> Retention:
        if broken:
            raise StoreUnavailable("the database is away")
        return Retention()

    moves = ColdMoves(store, rules, loops, first_pause=0)
    (loop,) = loops
    await until(lambda: loop.last_error)
    broken = False
    await until(lambda: loop.last_error is None)
    await moves.stop()
