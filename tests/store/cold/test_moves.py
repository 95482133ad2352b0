"""Test moving tasks to cold storage and back: nothing is lost, nothing is doubled, and appends work as before."""

from __future__ import annotations

import asyncio
from io import BytesIO
from pathlib import Path

import pytest

from signalbox.store import Conflict, NewEvent, Store, TaskQuery, UnknownTask
from signalbox.store.cold.moves import move as moves
from signalbox.store.cold.moves.places import new_name
from signalbox.store.errors import TaskReplaced
from signalbox.store.sql.cold_tasks.moving import TaskNotMovable
from tests.store.cold.conftest import MOVED
from tests.support.raw_rows import rows_of

LINE = NewEvent(event_type="log", payload={"message": "one more line"})


def names_in(files: Path) -> list[str]:
    return sorted(path.name for path in files.iterdir()) if files.is_dir() else []


def contents(url: str) -> dict[str, list[str]]:
    """Return all rows but audits."""
    return {table: rows for table, rows in rows_of(url).items() if table != "task_audits"}


async def actions(store: Store) -> list[str]:
    async with store.read() as view:
        return [audit["action"] for audit in await view.audits("t0")]


async def test_a_task_moves_to_a_file_and_comes_back_with_every_row(store: Store, url: str, files: Path) -> None:
    store.add_artifact("t0", BytesIO(b"content" * 1000), "report.bin")
    before = contents(url)
    moved = await store.cold.amove("t0", actor="ann", source="test")
    assert (moved.stage, moved.events, names_in(files)) == ("cold", MOVED + 1, [moved.name])
    left = contents(url)
    for table in ("task_events", "task_spans", "task_phases", "task_checkpoints", "task_heartbeats"):
        assert not [row for row in left[table] if "('task_id', 't0')" in row], table
    assert [row.replace("('cold', 1)", "('cold', None)") for row in left["tasks"]] == before["tasks"]
    assert await store.cold.arestore("t0", actor="ann")
    assert contents(url) == before
    assert names_in(files) == []
    assert await actions(store) == ["task_restored_from_cold_storage", "task_moved_to_cold_storage"]
    async with store.read() as view:
        (artifact,) = await view.artifacts("t0")
        assert await view.content_piece("t0", artifact.sha256, 0) == b"content" * 1000


async def test_the_list_is_the_same_while_a_task_is_cold(store: Store) -> None:
    async def listed() -> tuple[object, ...]:
        async with store.read() as view:
            page = await view.tasks(TaskQuery())
            ids = [task.task_id for task in page.tasks]
            lines = await view.last_lines(ids)
            seqs = {task_id: one.latest_seq for task_id, one in (await view.standings(ids)).items()}
            closed = await view.closed_permissions(100)
            return page.tasks, lines, seqs, await view.facets(TaskQuery()), await view.fingerprints(ids), closed

    before = await listed()
    await store.cold.amove("t0")
    assert await listed() == before


async def test_an_event_brings_its_task_back_first(store: Store, files: Path) -> None:
    await store.cold.amove("t0")
    (event,) = await store.aappend("t0", LINE)
    assert (event.seq, names_in(files)) == (MOVED + 1, [])
    async with store.read() as view:
        assert await view.cold_task("t0") is None
        assert [event.seq for event in await view.events("t0", 0, 2 * MOVED)] == list(range(1, MOVED + 2))


def test_a_program_without_an_event_loop_brings_a_task_back(store: Store) -> None:
    asyncio.run(store.cold.amove("t0"))
    assert store.append("t0", LINE)[0].seq == MOVED + 1


async def test_a_known_key_is_not_appended_again_to_a_cold_task(store: Store) -> None:
    keyed = NewEvent(event_type="log", payload={"message": "once"}, key="once")
    (first,) = await store.aappend("t0", keyed)
    await store.cold.amove("t0")
    assert (await store.aappend("t0", keyed))[0].event_id == first.event_id
    assert (await store.aappend("t0", LINE))[0].seq == MOVED + 2


@pytest.mark.long
async def test_every_kind_of_event_brings_a_task_back(store: Store) -> None:
    calls = (
        lambda: store.aappend_while("t0", LINE, lambda task: task.latest_seq == MOVED),
        lambda: store.aappend_audited("t0", LINE, actor="ann", action="note"),
        lambda: store.aadd_artifact("t0", BytesIO(b"x"), "x.txt"),
    )
    for number, call in enumerate(calls):
        await store.cold.amove("t0")
        event = await call()
        assert event is not None
        assert event.seq == MOVED + 1 + number


async def test_many_writers_of_a_cold_task_share_one_restore(store: Store) -> None:
    await store.cold.amove("t0")
    events = await asyncio.gather(*(store.aappend("t0", LINE) for _ in range(20)))
    assert sorted(event.seq for (event,) in events) == list(range(MOVED + 1, MOVED + 21))


async def test_actions_on_the_row_leave_a_task_in_its_file(store: Store, files: Path) -> None:
    await store.cold.amove("t0")
    assert (await store.aarchive_task("t0", True, actor="ann")).archived_at is not None
    await store.adiagnose("t0")
    await store.aset_unfinished("t0", [])
    await store.aaudit("ann", "looked", task_id="t0")
    assert (await store.acreate_task("t0"))[1] is False
    assert len(names_in(files)) == 1


async def test_a_task_that_cannot_move_says_why(store: Store) -> None:
    store.create_task("queued")
    for task_id, reason in (("t1", "is waiting"), ("queued", "is queued")):
        with pytest.raises(TaskNotMovable, match=reason):
            await store.cold.amove(task_id)
    with pytest.raises(UnknownTask):
        await store.cold.amove("nothing")
    with pytest.raises(TaskReplaced):
        await store.cold.amove("t0", identity="other")
    await store.cold.amove("t0")
    with pytest.raises(TaskNotMovable, match="in cold storage already"):
        await store.cold.amove("t0")
    with pytest.raises(TaskReplaced):
        await store.cold.arestore("t0", identity="other")
    assert await store.cold.arestore("t2") is False


async def test_an_event_during_the_move_keeps_the_task_in_the_database(
    store: Store, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = moves.pack

    async def pack_and_append(*args: object) -> object:
        facts = await pack(*args)  # type: ignore[arg-type]
        await store.aappend("t0", LINE)
        return facts

    monkeypatch.setattr(moves, "pack", pack_and_append)
    with pytest.raises(TaskNotMovable, match="changed while it was packed"):
        await store.cold.amove("t0")
    assert names_in(files) == []
    async with store.read() as view:
        assert len(await view.events("t0", 0, 2 * MOVED)) == MOVED + 1
    monkeypatch.undo()
    assert (await store.cold.amove("t0")).events == MOVED + 1


async def test_a_deleted_task_takes_its_file_with_it(store: Store, files: Path) -> None:
    await store.cold.amove("t0")
    await store.cold.amove("t2")
    await store.adelete_task("t0", actor="ann")
    assert len(names_in(files)) == 1
    store.create_task("t0")
    assert store.append("t0", LINE)[0].seq == 1
    async with store.read() as view:
        assert [task.task_id for task in await view.cold_tasks()] == ["t2"]


async def test_files_that_no_task_has_are_deleted_and_those_of_other_stores_kept(store: Store, files: Path) -> None:
    moved = await store.cold.amove("t0")
    own = new_name(store.epoch)
    other = "01ARZ3NDEKTSV4RRFFQ69G5FAV-01ARZ3NDEKTSV4RRFFQ69G5FAW.cold"
    for name in (own, other, "notes.txt"):
        (files / name).write_bytes(b"x")
    assert (await store.cold.afinish()).files == [own]
    assert names_in(files) == sorted([moved.name, other, "notes.txt"])
    assert (await store.cold.averify("t0")).events == MOVED


async def test_a_task_in_the_database_cannot_be_verified(store: Store) -> None:
    with pytest.raises(Conflict, match="is in the database"):
        await store.cold.averify("t0")
