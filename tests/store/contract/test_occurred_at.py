"""Test `occurred_at`, the time at which an event happened: it sets durations, and never the order of the log."""

from __future__ import annotations

import msgspec
import pytest

from signalbox.store import Event, InvalidEvent, NewEvent, Store, TaskRecord
from signalbox.store.state import Span

NOON = "2026-11-20T12:00:00.000000Z"


def event_at(time: str, event_type: str = "log", **fields: object) -> NewEvent:
    return NewEvent(event_type=event_type, occurred_at=f"2026-11-20T{time}Z", **fields)  # type: ignore[arg-type]


async def span(store: Store, task_id: str, span_id: str) -> Span:
    async with store.read() as view:
        stored = await view.span(task_id, span_id)
    assert stored is not None
    return stored


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("2026-11-20T12:00:00.000000Z", NOON),
        ("2026-11-20T12:00:00Z", NOON),
        ("2026-11-20 12:00Z", NOON),
        ("2026-11-20t12:00:00z", NOON),
        ("2026-11-20T13:00:00+01:00", NOON),
        ("2026-11-20T06:30:00.5-0530", "2026-11-20T12:00:00.500000Z"),
        ("2026-11-20T12:00:00.123456789Z", "2026-11-20T12:00:00.123456Z"),
        ("2026-11-20T11:59:60Z", "2026-11-20T11:59:59.000000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
    ],
)
async def test_a_time_in_any_zone_is_stored_in_utc(store: Store, given: str, stored: str) -> None:
    (event,) = store.append("run", NewEvent(event_type="log", occurred_at=given))
    async with store.read() as view:
        assert await view.events("run") == [event]
        assert (await view.events_after(0))[0] == event
    assert event.occurred_at == event.happened_at == stored
    assert event.created_at > stored


@pytest.mark.parametrize(
    "given",
    [
        "",
        "yesterday",
        "2026-11-20",
        "2026-11-20T12:00:00",
        "2026-02-30T12:00:00Z",
        "2026-11-20T12:00:00+99:00",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "2026-11-20T12:00:00Z\n",
        "٢٠٢٦-11-20T12:00:00Z",
        1_795_000_000,
        True,
    ],
)
def test_an_invalid_time_is_refused_with_an_example(store: Store, given: object) -> None:
    with pytest.raises(InvalidEvent, match=r"occurred_at must be a time with its zone, such as 2026-") as caught:
        store.append("run", [NewEvent(event_type="log"), NewEvent(event_type="log", occurred_at=given)])  # type: ignore[arg-type]
    assert caught.value.field == "occurred_at"
    assert store.append("run", NewEvent(event_type="log"))[0].seq == 1


def test_occurred_at_is_present_only_if_the_emitter_set_it(store: Store) -> None:
    plain, timed = store.append("run", [NewEvent(event_type="log"), event_at("12:00:00")])
    assert "occurred_at" not in msgspec.json.decode(msgspec.json.encode(plain))
    assert msgspec.json.decode(msgspec.json.encode(timed))["occurred_at"] == NOON
    assert msgspec.json.decode(msgspec.json.encode(timed), type=Event) == timed
    assert plain.happened_at == plain.created_at


async def test_durations_use_occurred_at(store: Store) -> None:
    store.append(
        "run",
        [
            event_at("12:00:00", "runner_spawn", span_id="main"),
            event_at("12:00:01", "phase_enter", phase="planning", span_id="p"),
            event_at("12:00:02", "work_item_start", phase="planning", span_id="w", payload={"work_item_id": "w"}),
            event_at("12:00:05", "work_item_complete", phase="planning", span_id="w", payload={"work_item_id": "w"}),
            event_at("12:00:09", "phase_exit", phase="planning", span_id="p"),
            event_at("12:00:10", "runner_exit", span_id="main", payload={"exit_code": 0}),
        ],
    )
    async with store.read() as view:
        task, (phase,) = await view.task("run"), await view.phases("run")
    work = await span(store, "run", "w")
    clock = [task.started_at, phase.entered_at, work.started_at, work.ended_at, phase.exited_at, task.ended_at]
    assert [time and time[17:19] for time in clock] == ["00", "01", "02", "05", "09", "10"]
    assert task.updated_at > "2026-11-20T12:00:10"


async def test_events_are_ordered_by_append_not_by_occurred_at(store: Store) -> None:
    store.append("run", [event_at("12:00:05"), event_at("12:00:01"), event_at("12:00:03")])
    async with store.read() as view:
        events = await view.events("run")
        assert [str(event.occurred_at)[17:19] for event in events] == ["05", "01", "03"]
    assert [event.created_at for event in events] == sorted(event.created_at for event in events)


async def test_no_time_is_before_the_last_one_or_in_the_future(store: Store) -> None:
    early = event_at("11:00:00", "work_item_complete", span_id="w", payload={"work_item_id": "w"})
    store.append("run", [event_at("12:00:00", "work_item_start", span_id="w", payload={"work_item_id": "w"}), early])
    work = await span(store, "run", "w")
    assert work.started_at == work.ended_at == NOON
    late = NewEvent(event_type="tool_status", span_id="t", occurred_at="9000-01-01T00:00:00Z")
    (event,) = store.append("run", late)
    assert event.occurred_at == "9000-01-01T00:00:00.000000Z"
    assert (await span(store, "run", "t")).started_at == event.created_at


async def test_an_import_keeps_occurred_at(store: Store) -> None:
    store.append(
        "run", [event_at("12:00:00", "tool_status", span_id="t"), NewEvent(event_type="tool_result", span_id="t")]
    )
    async with store.read() as view:
        events = await view.events("run")
    store.import_task(TaskRecord(task_id="copy", created_at=events[0].created_at), events)
    async with store.read() as view:
        assert [event.occurred_at for event in await view.events("copy")] == [event.occurred_at for event in events]
    assert (await span(store, "copy", "t")).started_at == NOON
    bad = msgspec.structs.replace(events[0], occurred_at="soon")
    with pytest.raises(InvalidEvent, match="occurred_at must be a time"):
        store.import_task(TaskRecord(task_id="bad", created_at=events[0].created_at), [bad])
