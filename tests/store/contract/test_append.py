"""Test the guarantees of an append: order, all or nothing, once per idempotency key, clear errors."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from signalbox.store import (
    Conflict,
    Event,
    InvalidEvent,
    NewEvent,
    Store,
    StoreClosed,
    TaskRecord,
    UnknownTask,
    open_store,
)


def log(message: str = "", **fields: object) -> NewEvent:
    return NewEvent(event_type="log", payload={"message": message}, **fields)  # type: ignore[arg-type]


async def read(store: Store, task_id: str) -> list[Event]:
    async with store.read() as view:
        return await view.events(task_id, 0, 100_000)


async def test_events_are_read_as_they_were_appended(store: Store) -> None:
    given = NewEvent(
        event_type="work_item_progress",
        phase="executing",
        actor="worker",
        span_id="s2",
        parent_span_id="s1",
        payload={"progress": {"current": 1, "total": 2}, "text": "żółw <b>\u2028\n"},
        key="k1",
    )
    stored = store.append("run", given)[0]
    (found,) = await read(store, "run")
    assert found == stored
    assert found.payload == given.payload
    assert (found.seq, found.task_id, found.key, found.actor) == (1, "run", "k1", "worker")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", found.created_at)


async def test_seq_is_per_task_and_event_id_is_global(store: Store) -> None:
    a = store.append("a", [log(), log()])
    b = store.append("b", log())
    a += store.append("a", log())
    assert [event.seq for event in a] == [1, 2, 3]
    assert b[0].seq == 1
    ids = [event.event_id for event in (a[0], a[1], b[0], a[2])]
    assert ids == sorted(set(ids))


async def test_a_list_of_events_is_appended_all_or_nothing(store: Store) -> None:
    with pytest.raises(InvalidEvent) as caught:
        store.append("run", [log(), NewEvent(event_type="")])
    assert caught.value.field == "event_type"
    answer = NewEvent(event_type="permission_response", payload={"request_id": "none"})
    with pytest.raises(Conflict):
        store.append("run", [log(), answer], own=True)
    with pytest.raises(UnknownTask):
        async with store.read() as view:
            await view.task("run")


async def test_an_event_with_a_known_key_is_not_appended_again(store: Store) -> None:
    first = store.append("run", log("one", key="k"))
    again = store.append("run", [log("other", key="k"), log("new", key="k2"), log("twice", key="k2")])
    assert again[0] == first[0]
    assert again[1] is again[2] or again[1] == again[2]
    assert [event.payload["message"] for event in await read(store, "run")] == ["one", "new"]
    assert store.append("other", log("here it is free", key="k"))[0].seq == 1


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (NewEvent(event_type=""), "event_type"),
        (NewEvent(event_type="a\nb"), "event_type"),
        (NewEvent(event_type="x" * 257), "event_type"),
        (NewEvent(event_type="log", actor=""), "actor"),
        (NewEvent(event_type="log", span_id=""), "span_id"),
        (NewEvent(event_type="log", span_id="s", parent_span_id="s"), "parent_span_id"),
        (NewEvent(event_type="log", phase="a\x00b"), "phase"),
        (NewEvent(event_type="log", phase="\ud800"), "phase"),
        (NewEvent(event_type="log", key="k\u2028"), "key"),
        (NewEvent(event_type="log", payload=["no", "object"]), "payload"),  # type: ignore[arg-type]
        (NewEvent(event_type="log", payload={"a": object()}), "payload"),
        (NewEvent(event_type="log", payload={"a": "\ud800"}), "payload"),
        (NewEvent(event_type="log", payload={"a": "x" * 300_000}), "payload"),
        (NewEvent(event_type=7), "event_type"),  # type: ignore[arg-type]
    ],
)
def test_an_error_names_the_invalid_field_of_an_event(store: Store, event: NewEvent, field: str) -> None:
    with pytest.raises(InvalidEvent) as caught:
        store.append("run", event)
    assert caught.value.field == field
    assert field in str(caught.value)
    assert not caught.value.retryable


@pytest.mark.parametrize("task_id", ["", "a b", "a/b", "x" * 129, "é", "a\n", "<b>"])
def test_an_invalid_task_id_is_refused(store: Store, task_id: str) -> None:
    with pytest.raises(InvalidEvent, match="1 to 128 characters"):
        store.append(task_id, log())
    with pytest.raises(InvalidEvent, match="1 to 128 characters"):
        store.create_task(task_id)


def test_creating_a_task_twice_returns_the_existing_task(store: Store) -> None:
    task, new = store.create_task("run", title="Nightly", kind="build", metadata={"branch": "main"})
    again, new_again = store.create_task("run", title="Other")
    assert (new, new_again) == (True, False)
    assert again == task
    assert again.title == "Nightly"
    unnamed, _ = store.create_task()
    assert re.fullmatch(r"[0-9A-Z]{26}", unnamed.task_id)


@pytest.mark.long
async def test_concurrent_threads_and_coroutines_append_without_gaps(store: Store) -> None:
    threads = [
        threading.Thread(target=lambda n=n: [store.append("run", log(f"{n}.{i}")) for i in range(50)]) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    await asyncio.gather(*(store.aappend("run", log(f"a.{i}")) for i in range(200)))
    for thread in threads:
        thread.join()
    events = await read(store, "run")
    assert [event.seq for event in events] == list(range(1, 401))
    for n in range(4):
        own_messages = [e.payload["message"] for e in events if e.payload["message"].startswith(f"{n}.")]
        assert own_messages == [f"{n}.{i}" for i in range(50)]


async def test_an_invalid_append_does_not_affect_concurrent_ones(store: Store) -> None:
    bad = NewEvent(event_type="permission_response", payload={"request_id": "none"})
    given = [(bad, True) if i % 5 == 0 else (log(str(i)), False) for i in range(50)]
    appends = (store.aappend("run", event, own=own) for event, own in given)
    results = await asyncio.gather(*appends, return_exceptions=True)
    assert [isinstance(response, Conflict) for response in results] == [i % 5 == 0 for i in range(50)]
    assert len(await read(store, "run")) == 40


async def test_event_ids_of_a_deleted_task_are_never_reused(store: Store) -> None:
    last = store.append("a", [log(), log()])[-1]
    store.audit("ada", "delete", task_id="a")
    store.delete_task("a")
    assert store.append("b", log())[0].event_id > last.event_id
    async with store.read() as view:
        with pytest.raises(UnknownTask):
            await view.task("a")
        assert [audit["action"] for audit in await view.audits("a")] == ["delete"]


def test_a_closed_store_raises_store_closed(store: Store) -> None:
    store.close()
    with pytest.raises(StoreClosed):
        store.append("run", log())


def test_the_epoch_is_stored_with_the_history(store: Store, url: str) -> None:
    other = open_store(url)
    assert other.epoch == store.epoch
    other.close()


async def test_an_exclusive_task_is_refused_while_another_of_its_kind_runs_in_the_project(store: Store) -> None:
    for project in ("ours", "theirs"):
        store.people.add_project(project, project)
    store.create_task("other-kind", kind="build", project_id="ours")
    store.create_task("other-project", kind="agent", project_id="theirs")
    made = [await store.acreate_task(each, kind="agent", project_id="ours", alone=True) for each in ("one", "two")]
    assert [(task.task_id, new) for task, new in made] == [("one", True), ("one", False)]
    store.append("one", NewEvent(event_type="runner_exit", payload={"exit_code": 0}))
    task, new = await store.acreate_task("two", kind="agent", project_id="ours", alone=True)
    assert (task.task_id, new) == ("two", True)


async def test_a_slow_import_does_not_block_other_writers(store: Store, url: str) -> None:
    stored, other = store.append("run", [log("one"), log("two")]), open_store(url)

    def slowly() -> Iterator[Event]:
        for event in stored:
            other.append("meanwhile", log())
            yield event

    task = store.import_task(TaskRecord(task_id="copy", created_at=stored[0].created_at), slowly())
    assert (task.latest_seq, [event.payload for event in await read(store, "copy")]) == (
        2,
        [event.payload for event in stored],
    )
    assert len(await read(store, "meanwhile")) == 2
    other.close()


async def test_events_of_a_generator_are_not_lost(store: Store) -> None:
    events: Any = (NewEvent(event_type="log", payload={"n": number}) for number in range(3))
    stored = await store.aappend("generated", events)
    assert [event.payload["n"] for event in stored] == [0, 1, 2]
