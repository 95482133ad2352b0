"""Test that any moment of a task, folded from its log, equals the tables at that moment."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from e2e.random_run import run
from signalbox.store import Event, NewEvent, TaskRecord, UnknownTask, history, open_store
from signalbox.store.bounded_reads import payload_bytes
from signalbox.store.history import History, before_first_event
from signalbox.store.projections import fold
from signalbox.store.sqlite import SqliteStore
from signalbox.store.sqlite.views import View
from signalbox.store.state import Task, TaskState
from signalbox.store.times import timestamp
from tests.store.test_projections import events, stored_state
from tests.support.examples import examples


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = open_store(f"sqlite:///{tmp_path}/signalbox.db")
    yield opened
    opened.close()


async def state_at(store: SqliteStore, past: History, task_id: str, seq: int) -> TaskState:
    async with store.read() as view:
        return await past.state_at(view, task_id, seq)


def visible(state: TaskState) -> TaskState:
    """Return a state without the parts that no page shows."""
    state.task.main_span_id = ""
    return state


@pytest.mark.examples
@settings(max_examples=examples(15), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(log=st.lists(events.filter(lambda e: e.event_type != "permission_response"), min_size=1, max_size=25))
async def test_the_state_at_every_seq_equals_the_tables_at_that_seq(log: list[NewEvent], store: SqliteStore) -> None:
    task, _ = store.create_task()
    then: dict[int, TaskState] = {}
    for event in log:
        last = store.append(task.task_id, event)[-1]
        state = visible(await stored_state(store, task.task_id))
        then[max(last.seq, state.task.latest_seq)] = state
    for seq, state in then.items():
        assert visible(await state_at(store, History(), task.task_id, seq)) == state


log_events = st.builds(
    NewEvent,
    event_type=st.sampled_from(
        [*["log"] * 12, "phase_enter", "phase_exit", "work_item_start", "runner_spawn", "status"]
    ),
    phase=st.sampled_from(["planning", "executing", None, None]),
    actor=st.sampled_from(["runner", "worker"]),
    span_id=st.sampled_from(["s1", "s2", None]),
    parent_span_id=st.sampled_from(["p1", "p2", None]),
    payload=st.fixed_dictionaries({}, optional={"status": st.sampled_from(["done", "interrupted", "waiting"])}),
)


@pytest.mark.examples
@settings(max_examples=examples(15), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.tuples(log_events, st.integers(0, 50)), min_size=1, max_size=40))
async def test_the_state_at_every_seq_equals_a_full_fold_also_with_erratic_clocks(
    lines: list[tuple[NewEvent, int]], store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "STEP", 7)
    monkeypatch.setattr(history, "PAGE_SIZE", 3)
    first, _ = store.create_task()
    store.append(first.task_id, [event for event, _ in lines])
    given, stored = await read(store, first.task_id)
    times = [timestamp(1_800_000_000 + seconds) for _, seconds in lines]
    log = [msgspec.structs.replace(e, created_at=state_at) for e, state_at in zip(stored, times, strict=True)]
    record = TaskRecord(
        task_id=f"copy-{given.task_id}", created_at=times[0], main_span_id=before_first_event(given).main_span_id
    )
    task = store.import_task(record, log)
    # An import ensures that times never go back.
    _, log = await read(store, task.task_id)
    past = History()
    for seq in range(1, len(log) + 1):
        expected = fold(before_first_event(task), log[:seq])
        assert await state_at(store, past, task.task_id, seq) == expected
        assert await state_at(store, History(), task.task_id, seq) == expected


async def test_a_log_of_long_events_is_folded_in_bounded_reads(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, sizes = View.changing_events, list[int]()

    async def measure(view: View, *given: Any) -> list[Event]:
        found = await read(view, *given)
        sizes.append(sum(map(payload_bytes, found)))
        return found

    monkeypatch.setattr(View, "changing_events", measure)
    for n in range(0, 120, 30):
        long = {"message": "x" * 100_000}
        store.append("t", [NewEvent(event_type="status", payload={"n": n + i, **long}) for i in range(30)])
    state = await state_at(store, History(), "t", 119)
    assert state.task.latest_seq == 119
    assert max(sizes) < 8_500_000 < sum(sizes)


async def test_many_callers_prepare_a_state_with_one_fold_in_short_views(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "STEP", 50)
    monkeypatch.setattr(history, "VIEW_SECONDS", 0.0)
    store.append("t", list(run(5, 400)))
    expected = await state_at(store, History(), "t", 330)
    read, views, reads = View.changing_events, list[View](), list[int]()

    async def note(view: View, *given: Any) -> list[Event]:
        found = await read(view, *given)
        views.append(view)
        reads.extend(event.seq for event in found)
        return found

    monkeypatch.setattr(View, "changing_events", note)
    past = History()
    await asyncio.gather(*(past.prepare(store, "t", 330) for _ in range(10)))
    assert len(set(reads)) == len(reads) > 0
    assert len(set(map(id, views))) >= 330 // 50
    reads.clear()
    assert await state_at(store, past, "t", 330) == expected
    assert reads == []


async def test_lines_without_a_change_are_counted_but_not_read(store: SqliteStore) -> None:
    line = NewEvent(event_type="log", span_id="work", parent_span_id="main", phase="executing")
    other = NewEvent(event_type="log", span_id="more", payload={"name": "more"})
    store.append("t", [NewEvent(event_type="runner_spawn"), *[line] * 50, other, *[line, other] * 20])
    store.append("t", line)
    assert await changing_seqs(store, "t") == [1, 2, 52]
    task, log = await read(store, "t")
    store.import_task(TaskRecord(task_id="copy", created_at=task.created_at, main_span_id=task.main_span_id), log)
    assert await changing_seqs(store, "copy") == [1, 2, 52]


async def test_a_log_of_an_earlier_version_is_read_in_full(store: SqliteStore, tmp_path: Path) -> None:
    store.append("t", list(run(5, 200)))
    states = [await state_at(store, History(), "t", seq) for seq in (40, 150)]
    with sqlite3.connect(tmp_path / "signalbox.db") as raw:
        raw.execute("UPDATE task_events SET quiet = NULL")
    raw.close()
    assert [await state_at(store, History(), "t", seq) for seq in (40, 150)] == states


async def read(store: SqliteStore, task_id: str) -> tuple[Task, list[Event]]:
    async with store.read() as view:
        return await view.task(task_id), await view.events(task_id, 0, 10_000)


async def changing_seqs(store: SqliteStore, task_id: str) -> list[int]:
    async with store.read() as view:
        return [event.seq for event in await view.changing_events(task_id, 0, 1000, 1000)]


async def test_a_main_span_is_an_ordinary_span_before_the_run_names_it(store: SqliteStore) -> None:
    store.append("t", [NewEvent(event_type="log", span_id="own"), NewEvent(event_type="log", span_id="other")])
    before = visible(await stored_state(store, "t"))
    store.append("t", NewEvent(event_type="runner_spawn", span_id="own"))
    assert visible(await state_at(store, History(), "t", 2)) == before


@pytest.mark.long
async def test_stepping_through_a_log_uses_cached_states(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "STEP", 2000)
    log = list(run(3, 3 * history.STEP))
    for start in range(0, len(log), 1000):
        store.append("long", log[start : start + 1000])
    past = History()
    await state_at(store, past, "long", len(log))
    folded: list[int] = []
    fold_on = history.fold
    monkeypatch.setattr(
        history,
        "fold",
        lambda state, changing, times: (folded.append(len(times)), fold_on(state, changing, times))[1],
    )
    for seq in (len(log), len(log) - 1, 2 * history.STEP, history.STEP + 7, history.STEP - 1):
        folded.clear()
        state = await state_at(store, past, "long", seq)
        assert state.task.latest_seq == seq
        assert sum(folded) < history.STEP
        assert state == await state_at(store, History(), "long", seq)


async def test_the_cache_of_states_stays_within_its_limit(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "STEP", 1000)
    log = list(run(4, 2 * history.STEP + 10))
    for start in range(0, len(log), 1000):
        store.append("long", log[start : start + 1000])
    past = History(limit=1)
    await state_at(store, past, "long", len(log))
    assert not past._cache
    assert past._size == 0


async def test_a_recreated_task_does_not_use_cached_states_of_the_deleted_one(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "STEP", 1000)
    past = History()
    store.append("t", [NewEvent(event_type="log", span_id="old")] * history.STEP)
    await state_at(store, past, "t", history.STEP)
    store.delete_task("t")
    store.append("t", [NewEvent(event_type="log", span_id="new")] * history.STEP)
    state = await state_at(store, past, "t", history.STEP)
    assert list(state.spans) == ["new"]


async def test_a_seq_beyond_the_last_event_gives_the_last_state(store: SqliteStore) -> None:
    store.append("t", [NewEvent(event_type="log")] * 3)
    assert (await state_at(store, History(), "t", 99)).task.latest_seq == 3


async def test_an_unknown_task_has_no_history(store: SqliteStore) -> None:
    with pytest.raises(UnknownTask):
        await state_at(store, History(), "nobody", 1)
