"""Test that a state which a cold file stores equals a fold of the log, in files of this and of earlier versions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from signalbox.store import NewEvent, Store, open_store
from signalbox.store.cold import file as files
from signalbox.store.cold import pack, state_keeper
from signalbox.store.cold.cached_file import CachedFile
from signalbox.store.cold.file import ColdFile
from signalbox.store.cold.places.directory import ColdDirectory
from signalbox.store.cold.verify import verify
from signalbox.store.history import History, before_first_event
from signalbox.store.moving.tables import TASKS
from signalbox.store.projections import fold
from signalbox.store.sql.rows import events_of, stored_task
from signalbox.store.state import TaskState
from tests.support.varied_log import record, varied_log

EVENTS = 500
KEPT = Path(__file__).with_name("kept")
"""Files that earlier versions wrote: `whole-states.cold` has 400 events, and states that need no image."""

LATER_ROW = (
    "INSERT INTO task_spans SELECT task_id, 'unheard of', parent_span_id, 200, ended_seq, open, 200,"
    " json_set(state, '$.span_id', 'unheard of') FROM task_spans WHERE span_id = 'span-1'"
)
OTHER_VALUE = "UPDATE task_spans SET state = json_set(state, '$.name', 'another') WHERE changed_seq < 300"
UNREADABLE = "UPDATE task_spans SET state = '{' WHERE span_id IN ('span-1', 'span-2', 'span-3')"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(pack, "MAX_EVENTS", 40)
    monkeypatch.setattr(state_keeper, "STEP", 400)
    opened = open_store(f"sqlite:///{tmp_path / 'signalbox.db'}")
    opened.import_task(record("t0", 0), varied_log("t0", EVENTS, 0))
    yield opened
    opened.close()


async def states(store: Store) -> list[TaskState]:
    async with store.read() as view:
        found = [await History().state_at(view, "t0", seq) for seq in range(1, EVENTS + 1, 13)]
    for state in found:
        state.task.cold_since = None
    return found


def stored_states(path: Path) -> list[int]:
    (cold,) = (path / "signalbox.db.cold").iterdir()
    verify(ColdDirectory(cold.parent), cold.name)
    with closing(ColdFile.open(ColdDirectory(cold.parent), cold.name)) as file:
        assert file.has_partial_states
        return [state.seq for state in file.footer.states]


async def test_a_state_has_only_the_parts_that_change_later(store: Store, tmp_path: Path) -> None:
    store.create_task("items")
    store.append("items", [*items(EVENTS // 3), NewEvent(event_type="runner_exit", payload={"exit_code": 0})])
    await store.cold.amove("items")
    (path,) = (tmp_path / "signalbox.db.cold").iterdir()
    with closing(ColdFile.open(ColdDirectory(path.parent), path.name)) as file:
        states = [file.stored_state(number) for number in range(len(file.footer.states))]
    assert len(states) > 5
    # The run, its phase and the item that is open then.
    assert max(len(state.spans) for state in states) <= 3
    assert not any(state.checkpoints for state in states)


@pytest.mark.long
@pytest.mark.parametrize("change", ["", OTHER_VALUE, UNREADABLE])
async def test_a_stored_state_equals_a_fold_whatever_the_rows_say(store: Store, tmp_path: Path, change: str) -> None:
    expected = await states(store)
    alter(tmp_path, change)
    await store.cold.amove("t0")
    assert await states(store) == expected
    assert len(stored_states(tmp_path)) > 5


@pytest.mark.long
async def test_no_state_is_stored_where_the_rows_have_a_part_that_the_log_does_not_have(
    store: Store, tmp_path: Path
) -> None:
    expected = await states(store)
    alter(tmp_path, LATER_ROW)
    await store.cold.amove("t0")
    assert await states(store) == expected
    found = stored_states(tmp_path)
    assert found
    assert max(found) < 200


@pytest.mark.long
async def test_too_large_states_are_stored_less_often(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = await states(store)
    monkeypatch.setattr(state_keeper, "MIN_BYTES", 9000)
    monkeypatch.setattr(state_keeper, "BYTES_PER_EVENT", 0)
    await store.cold.amove("t0")
    assert 1 <= len(stored_states(tmp_path)) < 6
    assert await states(store) == expected


def items(number: int) -> Iterator[NewEvent]:
    """Yield a run of work items, one after the other, each with progress and a checkpoint."""
    yield NewEvent(event_type="phase_enter", phase="executing", span_id="executing")
    for n in range(number):
        progress = {"current": n, "total": number, "percentage": 50}
        for kind, payload in (
            ("work_item_start", {"work_item_id": f"item {n}"}),
            ("work_item_progress", {"work_item_id": f"item {n}", "progress": progress}),
            ("work_item_complete", {"work_item_id": f"item {n}"}),
            ("checkpoint_commit", {"checkpoint_id": f"checkpoint {n}"}),
        ):
            yield NewEvent(
                event_type=kind, phase="executing", span_id=f"item-{n}", parent_span_id="executing", payload=payload
            )


def alter(folder: Path, change: str) -> None:
    """Change rows of the database behind the store's back."""
    with closing(sqlite3.connect(folder / "signalbox.db")) as database, database:
        database.execute(change)


def test_a_file_of_an_earlier_version_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    name, place = "whole-states.cold", ColdDirectory(KEPT)
    with closing(CachedFile(ColdFile.open(place, name))) as cached:
        file = cached.file
        # A later version may have other fields. It ignores the states, and folds the log.
        monkeypatch.setattr(files, "whole_states", lambda: file.footer.states_of)
        assert verify(place, name).events == 400
        log = events_of([row[:13] for rows in file.events() for row in rows])
        (row,) = file.rows(TASKS)
        task = stored_task("t0", row[TASKS.names.index("state")])
        assert len(file.footer.states) > 1
        for stored in file.footer.states:
            assert cached.state(stored.seq + 1) == fold(before_first_event(task), log[: stored.seq])
            assert cached.state(stored.seq + 1, stored.seq) is None
        assert len(cached.rows("SELECT * FROM task_spans", ())) > 1
