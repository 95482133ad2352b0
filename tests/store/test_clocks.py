"""Test that times in a log never go back, whatever the clock or an import reports."""

from __future__ import annotations

import pytest

from signalbox.store import Event, TaskRecord
from signalbox.store.history import History
from signalbox.store.past_reading import PastReading
from signalbox.store.sqlite import SqliteStore
from signalbox.webapp.views.waterfall import waterfall_view
from tests.support.short_run import event, log_of, stored_state


async def imported(store: SqliteStore, created_at: str, *times: str) -> list[Event]:
    """Import a run whose spans begin and end at these times."""
    kinds = ["runner_spawn", "work_item_start", "work_item_complete", "work_item_start", "work_item_complete"]
    spans = ["main", "a", "a", "b", "b"]
    log = [
        Event(
            event_id=1, task_id="x", seq=n, event_type=kind, phase=None, actor="runner", span_id=span,
            parent_span_id=None, payload_json=b"{}", created_at=f"2026-11-26T{at}Z",  # type: ignore[arg-type]
        )
        for n, (kind, span, at) in enumerate(zip([*kinds, "runner_exit"], [*spans, "main"], times, strict=True), 1)
    ]  # fmt: skip
    store.import_task(TaskRecord(task_id="run", created_at=f"2026-11-26T{created_at}Z"), log)
    return await log_of(store, "run")


BACK = [f"{at}.000000" for at in ("10:00:00", "10:00:10", "10:00:05", "09:59:00", "10:01:00", "09:58:00")]


async def test_time_never_goes_back_in_an_import(store: SqliteStore) -> None:
    times = [event.created_at[11:19] for event in await imported(store, "14:33:30.904120", *BACK)]
    assert times == ["10:00:00", "10:00:10", "10:00:10", "10:00:10", "10:01:00", "10:01:00"]
    task = (await stored_state(store)).task
    assert task.created_at <= (await log_of(store, "run"))[0].created_at
    assert task.started_at is not None
    assert task.ended_at is not None
    assert task.started_at <= task.ended_at <= task.updated_at


async def test_time_never_goes_back_when_the_clock_is_set_back(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(["10:00:00", "10:00:05", "09:00:00", "09:00:01", "08:00:00", "10:00:06", "07:00:00"])
    monkeypatch.setattr("signalbox.store.sqlite.database.now", lambda: f"2026-11-26T{next(clock)}.000000Z")
    for _ in range(3):
        store.append("run", [event("log"), event("log")])
    await store.aappend("run", event("log"))
    store.append("run", event("log"))
    times = [event.created_at for event in await log_of(store, "run")]
    assert times == sorted(times)
    assert len(set(times)) == 2


async def test_no_bar_has_a_negative_width(store: SqliteStore) -> None:
    await imported(store, "09:00:00.000000", *sorted(BACK))
    async with store.read() as view:
        state = await History().state_at(view, "run", 6)
        # Stored like this by an older version.
        starts = iter(["10:00:00", "10:00:10", "09:59:00"])
        ends = iter(["09:58:00", "10:00:05", "10:01:00"])
        for span in state.spans.values():
            span.started_at, span.ended_at = (f"2026-11-26T{next(side)}.000000Z" for side in (starts, ends))
        seen = await waterfall_view(PastReading(view, state), "run")
    assert len(seen.bars) == 3
    for bar in seen.bars:
        assert 0 <= bar.part.left <= 100
        assert 0 <= bar.part.width <= 100


async def test_a_run_with_a_clock_that_went_back_is_drawn(store: SqliteStore) -> None:
    await imported(store, "14:33:30.904120", *BACK)
    async with store.read() as view:
        run, first, second = [bar.part.width for bar in (await waterfall_view(view, "run")).bars]
    assert (run, second) == (100, pytest.approx(83.3, abs=0.1))
    assert first == 0
