"""Test the deletion of tasks: gone at once, removed in small steps, and the id can be used again."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from signalbox.store import NewEvent, Store, StoreError, TaskQuery, TaskRecord, UnknownTask, open_store
from signalbox.store.artifacts import PIECE_BYTES
from signalbox.store.backup import create_backup, restore_backup
from signalbox.store.chain.linked_event import linked
from signalbox.store.kinds import sqlite_path
from signalbox.store.moving.tables import ALL, NOT_MOVED
from signalbox.store.postgresql.doctor import examine as examine_database
from signalbox.store.sql import removal
from signalbox.store.sqlite.doctor import examine as examine_file

LINES = [NewEvent(event_type="log", payload={"message": f"line {number}"}) for number in range(1000)]
ENDED = NewEvent(event_type="runner_exit", payload={"exit_code": 0})


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each step remove a few rows."""
    monkeypatch.setattr(removal, "STEP_SECONDS", 0.0)
    monkeypatch.setattr(removal, "PAUSE_FACTOR", 0.0)
    monkeypatch.setattr(removal.remove_some, "__defaults__", (removal.PARTS, 0.0))


def long_task(store: Store, task_id: str) -> None:
    store.append(task_id, LINES)
    store.append(task_id, [NewEvent(event_type="work_started", span_id=f"s{n}") for n in range(40)])
    store.append(task_id, ENDED)


@pytest.mark.usefixtures("small_steps")
async def test_a_deleted_task_is_gone_at_once_and_its_rows_follow_in_steps(store: Store) -> None:
    long_task(store, "long")
    store.append("other", LINES[:3])
    await store.adelete_task("long", actor="ada", later=True)
    async with store.read() as view:
        assert [task.task_id for task in (await view.tasks(TaskQuery())).tasks] == ["other"]
        assert {event.task_id for event in await view.events_after(0)} == {"other"}
        with pytest.raises(UnknownTask):
            await view.task("long")
        with pytest.raises(UnknownTask):
            await view.head("long")
        assert [audit["action"] for audit in await view.audits("long")] == ["task_deleted"]
    peek = store.peek()
    await peek.moved()
    assert {event.task_id for event in await peek.events_after(0, 5000)} == {"other"}
    await peek.aclose()
    assert not await store.aremove_deleted(seconds=0)
    assert await store.aremove_deleted()
    async with store.read() as view:
        assert await view.events("long") == []
        assert await view.spans("long") == []


@pytest.mark.usefixtures("small_steps")
async def test_an_id_can_be_used_again_at_once(store: Store) -> None:
    long_task(store, "again")
    await store.adelete_task("again", later=True)
    (event,) = await store.aappend("again", NewEvent(event_type="log", payload={"message": "new"}))
    assert event.seq == 1
    async with store.read() as view:
        assert [found.payload["message"] for found in await view.events("again")] == ["new"]
    await store.adelete_task("again", later=True)
    long_task(store, "again")
    await store.adelete_task("again", later=True)
    task, created = await store.acreate_task("again", title="third")
    assert (task.title, created) == ("third", True)


@pytest.mark.usefixtures("small_steps")
def test_a_removal_that_was_interrupted_is_continued(url: str, store: Store) -> None:
    long_task(store, "long")
    store.delete_task("long", later=True)
    store.close()
    again = open_store(url)
    assert not again.remove_deleted(seconds=0)
    assert again.remove_deleted()
    assert asyncio.run(number_of_events(again, "long")) == 0
    again.close()


async def number_of_events(store: Store, task_id: str) -> int:
    async with store.read() as view:
        return len(await view.events(task_id))


@pytest.mark.usefixtures("small_steps")
async def test_artifacts_of_a_deleted_task_go_unless_another_task_has_them(store: Store) -> None:
    shared, own = os.urandom(3 * PIECE_BYTES), os.urandom(3 * PIECE_BYTES)
    for task_id, content in (("a", shared), ("b", shared), ("a", own)):
        await store.acreate_task(task_id)
        await store.aadd_artifact(task_id, BytesIO(content), f"{len(content)}.bin")
    async with store.read() as view:
        gone, kept = (artifact.sha256 for artifact in await view.artifacts("a"))
    await store.adelete_task("a", later=True)
    await store.aremove_deleted()
    async with store.read() as view:
        assert await view.has_content("other", kept)
        assert not await view.has_content("gone", gone)
        assert await view.content_piece("gone", gone, 0) is None
    await store.adelete_task("b", later=True)
    await store.aremove_deleted()
    async with store.read() as view:
        assert await view.content_piece("other", kept, 0) is None


@pytest.mark.long
def test_a_writer_is_never_delayed_long_by_a_removal(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(15):
        store.append("long", LINES)
    store.append("long", ENDED)
    store.create_task("writer")
    store.delete_task("long", later=True)
    steps: list[str | None] = []
    steps_awaited: list[int] = []
    done = threading.Event()
    remove_step = removal.step

    def counted(db: Any, task_id: str | None = None) -> bool:
        steps.append(task_id)
        return remove_step(db, task_id)

    monkeypatch.setattr(removal, "step", counted)

    def remove() -> None:
        store.remove_deleted()
        done.set()

    thread = threading.Thread(target=remove)
    thread.start()
    while not done.is_set():
        before = len(steps)
        store.append("writer", LINES[0])
        steps_awaited.append(len(steps) - before)
        time.sleep(0.001)
    thread.join()
    # A step ends after a few milliseconds. An append waits for the one that has begun, and perhaps for the next one.
    # The highest few may be due to other programs on the machine, which stopped this thread after its append.
    assert len(steps) > 1  # A fast machine needs few.
    assert sorted(steps_awaited)[int(0.9 * (len(steps_awaited) - 1))] <= 2, steps_awaited
    assert asyncio.run(number_of_events(store, "long")) == 0


def test_every_table_with_rows_of_tasks_is_cleared() -> None:
    cleared = {part.table for part in removal.PARTS} | set(removal.SMALL) | {"tasks", "task_event_seq_counters"}
    kept = {"task_audits"}
    of_tasks = {table.name for table in ALL if "task_id" in table.names}
    assert of_tasks - kept <= cleared
    assert {"task_sizes"} <= NOT_MOVED.keys() & cleared


def test_a_task_that_cannot_be_deleted_keeps_its_rows(store: Store) -> None:
    store.append("running", [NewEvent(event_type="runner_spawn"), *LINES[:5]])
    with pytest.raises(StoreError, match="has not ended"):
        store.delete_task("running", actor="ada")
    assert asyncio.run(number_of_events(store, "running")) == 6


@pytest.mark.usefixtures("small_steps")
def test_neither_the_doctor_nor_a_backup_is_disturbed_by_a_removal(url: str, store: Store, tmp_path: Path) -> None:
    long_task(store, "long")
    store.append("other", LINES[:3])
    store.delete_task("long", later=True)
    path = sqlite_path(url)
    findings = examine_file(path) if path is not None else examine_database(url)
    assert "loose_row" not in {finding.code for finding in findings}
    backup = create_backup(url, tmp_path / "backup.db")
    assert backup.tasks == 1
    restored = tmp_path / "restored.db"
    restore_backup(tmp_path / "backup.db", f"sqlite:///{restored}")
    again = open_store(f"sqlite:///{restored}")
    again.remove_deleted()
    assert asyncio.run(number_of_events(again, "long")) == 0
    again.close()


@pytest.mark.usefixtures("small_steps")
async def test_the_marks_of_redacted_events_are_removed_in_steps_too(store: Store) -> None:
    """An import of a redacted log marks each of its events."""
    store.append("run", LINES[:100])
    async with store.read() as view:
        links, events = await view.links("run", 0, 100), await view.events("run", 0, 100)
    marked = [linked(event, links[event.seq].link, redacted=True) for event in events]
    await store.aimport_task(TaskRecord(task_id="copy", created_at=events[0].created_at), marked)
    assert await count_redacted(store) == 100
    await store.adelete_task("copy", later=True)
    # PostgreSQL deletes them with the row of the task, by a foreign key.
    left = 100 if sqlite_path(store.url) is not None else 0
    assert await count_redacted(store) == left, "the short transaction that hides the task leaves them"
    await store.aremove_deleted()
    assert await count_redacted(store) == 0


async def count_redacted(store: Store) -> int:
    rows = await store.raw_rows.rows("SELECT count(*) FROM redacted_events")  # type: ignore[attr-defined]
    return int(rows[0][0])
