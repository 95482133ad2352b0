"""Any moment of a task, folded from its log, is what the tables said at that moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from e2e.runs import run
from store import NewEvent, UnknownTask, history, open_store
from store.history import History
from store.sqlite import SqliteStore
from store.state import TaskState
from tests.test_projections import events, kept


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = open_store(f"sqlite:///{tmp_path}/signalbox.db")
    yield opened
    opened.close()


async def at(store: SqliteStore, past: History, task_id: str, seq: int) -> TaskState:
    async with store.read() as view:
        return await past.state_at(view, task_id, seq)


def shown(state: TaskState) -> TaskState:
    """A state without what no page shows."""
    state.task.main_span_id = ""
    return state


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(log=st.lists(events.filter(lambda e: e.event_type != "permission_response"), min_size=1, max_size=25))
async def test_every_moment_is_as_the_tables_had_it(log: list[NewEvent], store: SqliteStore) -> None:
    task, _ = store.create_task()
    then: dict[int, TaskState] = {}
    for event in log:
        last = store.append(task.task_id, event)[-1]
        state = shown(await kept(store, task.task_id))
        then[max(last.seq, state.task.latest_seq)] = state
    for seq, state in then.items():
        assert shown(await at(store, History(), task.task_id, seq)) == state


async def test_a_main_span_that_the_run_named_later_was_an_ordinary_one_before(store: SqliteStore) -> None:
    store.append("t", [NewEvent(event_type="log", span_id="own"), NewEvent(event_type="log", span_id="other")])
    before = shown(await kept(store, "t"))
    store.append("t", NewEvent(event_type="runner_spawn", span_id="own"))
    assert shown(await at(store, History(), "t", 2)) == before


async def test_stepping_uses_the_states_that_are_kept(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    log = list(run(3, 3 * history.STEP))
    for start in range(0, len(log), 1000):
        store.append("long", log[start : start + 1000])
    past = History()
    await at(store, past, "long", len(log))
    folded: list[int] = []
    fold = history._fold
    monkeypatch.setattr(history, "_fold", lambda state, events: (folded.append(len(events)), fold(state, events))[1])
    for seq in (len(log), len(log) - 1, 2 * history.STEP, history.STEP + 7, history.STEP - 1):
        folded.clear()
        state = await at(store, past, "long", seq)
        assert state.task.latest_seq == seq
        assert sum(folded) < history.STEP
        assert state == await at(store, History(), "long", seq)


async def test_what_is_kept_stays_within_its_limit(store: SqliteStore) -> None:
    log = list(run(4, 2 * history.STEP + 10))
    for start in range(0, len(log), 1000):
        store.append("long", log[start : start + 1000])
    past = History(limit=1)
    await at(store, past, "long", len(log))
    assert not past._kept
    assert past._size == 0


async def test_a_task_that_was_deleted_and_made_anew_is_another_one(store: SqliteStore) -> None:
    past = History()
    store.append("t", [NewEvent(event_type="log", span_id="old")] * history.STEP)
    await at(store, past, "t", history.STEP)
    store.delete_task("t")
    store.append("t", [NewEvent(event_type="log", span_id="new")] * history.STEP)
    state = await at(store, past, "t", history.STEP)
    assert list(state.spans) == ["new"]


async def test_beyond_the_last_event_is_the_last_one(store: SqliteStore) -> None:
    store.append("t", [NewEvent(event_type="log")] * 3)
    assert (await at(store, History(), "t", 99)).task.latest_seq == 3


async def test_an_unknown_task_has_no_history(store: SqliteStore) -> None:
    with pytest.raises(UnknownTask):
        await at(store, History(), "nobody", 1)
