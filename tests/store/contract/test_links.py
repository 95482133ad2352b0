"""Test the links of a log: what they cover, what keeps them, and how a verification names a fault."""

from __future__ import annotations

import msgspec
import pytest

from e2e.random_run import run
from signalbox.store import Event, InvalidEvent, NewEvent, Store, TaskRecord
from signalbox.store.chain.findings import LogReport
from signalbox.store.chain.heads import SignedHead
from signalbox.store.chain.linked_event import linked
from signalbox.store.chain.links import START, canonical, link_of
from signalbox.store.verification import open_source, verify_task


async def linked_events(store: Store, task_id: str) -> list[Event]:
    """Return the whole log of a task with its links, as an export has it."""
    async with store.read() as view:
        events = await view.events(task_id, 0, 10_000)
        links = await view.links(task_id, 0, 10_000)
    return [linked(event, links[event.seq].link, redacted=links[event.seq].redacted) for event in events]


def report(store: Store, task_id: str = "run") -> LogReport:
    """Verify the log of a task in the database of a store."""
    with open_source(store.url) as source:
        return verify_task(source, task_id)


async def test_each_event_has_the_link_of_its_canonical_form(store: Store) -> None:
    store.append("run", list(run(seed=1, length=60)))
    store.append(
        "run", NewEvent(event_type="log", key="k", occurred_at="2026-11-20T12:00:00Z", payload={"é": "\u2028"})
    )
    async with store.read() as view:
        events, links = await view.events("run", 0, 1000), await view.links("run", 0, 1000)
        claims = await view.log_claims("run")
    before = START
    for event in events:
        assert links[event.seq].link == link_of(event, before)
        before = link_of(event, before)
    assert claims.link == before
    assert report(store).intact


async def test_a_group_of_lines_has_the_same_links_as_single_lines(store: Store) -> None:
    store.append("run", NewEvent(event_type="runner_spawn", span_id="main"))
    store.append("run", [NewEvent(event_type="log", payload={"message": str(n)}) for n in range(50)])
    for number in range(3):
        store.append("run", NewEvent(event_type="log", payload={"message": str(number)}))
    assert report(store).events == 54
    assert report(store).intact


async def test_an_answer_that_the_server_adds_is_linked_too(store: Store) -> None:
    store.append("run", NewEvent(event_type="permission_request", payload={"request_id": "a"}))
    store.append_audited(
        "run",
        NewEvent(event_type="permission_response", payload={"request_id": "a", "response": "allow", "scope": "run"}),
        actor="ann",
        action="permission_response",
    )
    store.append("run", NewEvent(event_type="permission_request", payload={"request_id": "b"}))
    found = report(store)
    assert (found.intact, found.events, found.linked_from) == (True, await _latest(store), 1)


async def _latest(store: Store) -> int:
    async with store.read() as view:
        return (await view.head("run")).latest_seq


async def test_the_links_survive_an_import_under_another_id(store: Store) -> None:
    store.append("run", list(run(seed=2, length=80)))
    store.append("run", NewEvent(event_type="title_changed", payload={"title": "New"}), own=True)
    exported = await linked_events(store, "run")
    store.import_task(TaskRecord(task_id="copy", created_at=exported[0].created_at), exported)
    store.append("copy", NewEvent(event_type="log"))
    copied = await linked_events(store, "copy")
    assert [event.link for event in copied[:-1]] == [event.link for event in exported]  # type: ignore[attr-defined]
    found = report(store, "copy")
    assert (found.intact, found.imported_to) == (True, len(exported))
    again = TaskRecord(task_id="again", created_at=exported[0].created_at)
    store.import_task(again, copied)
    assert report(store, "again").intact


async def test_an_import_without_links_gets_new_ones(store: Store) -> None:
    store.append("run", list(run(seed=3, length=40)))
    async with store.read() as view:
        events = await view.events("run", 0, 1000)
    store.import_task(TaskRecord(task_id="copy", created_at=events[0].created_at), events)
    found = report(store, "copy")
    assert (found.intact, found.linked_from, found.signed_to) == (True, 1, len(events))


async def test_an_imported_event_that_was_changed_does_not_fit_its_link_later_either(store: Store) -> None:
    store.append("run", list(run(seed=4, length=40)))
    exported = await linked_events(store, "run")
    exported[7] = msgspec.structs.replace(exported[7], payload_json=msgspec.Raw(b'{"message":"other"}'))
    store.import_task(TaskRecord(task_id="copy", created_at=exported[0].created_at), exported)
    assert [(fault.kind, fault.seq) for fault in report(store, "copy").faults] == [("changed", 8)]


async def test_an_imported_redacted_event_is_reported_as_redacted(store: Store) -> None:
    store.append("run", list(run(seed=5, length=40)))
    exported = await linked_events(store, "run")
    hidden = msgspec.Raw(b'{"message":"hidden"}')
    exported[7] = msgspec.structs.replace(exported[7], payload_json=hidden, redacted=True)
    store.import_task(TaskRecord(task_id="copy", created_at=exported[0].created_at), exported)
    found = report(store, "copy")
    assert (found.intact, found.redacted) == (True, [8])
    assert (await linked_events(store, "copy"))[7].redacted is True  # type: ignore[attr-defined]


async def test_every_task_of_a_store_is_verified(store: Store) -> None:
    for number in range(3):
        store.append(f"run-{number}", list(run(seed=number, length=20)))
    with open_source(store.url) as source:
        assert all(verify_task(source, f"run-{number}").intact for number in range(3))


def test_the_canonical_form_is_the_documented_one() -> None:
    event = Event(9, "run", 2, "log", None, "runner", "main", None, msgspec.Raw(b'{"a":1}'), "T", "k", "server")
    assert canonical(event) == b'2\nlog\n\nrunner\nmain\n\nT\n\nk\nserver\n{"a":1}'


async def test_events_of_an_earlier_version_are_named_and_are_no_fault(store: Store) -> None:
    store.append("run", list(run(seed=1, length=10)))
    first = await _latest(store)

    def append_as_an_earlier_version(db: object) -> None:
        db.execute("UPDATE task_events SET link = NULL WHERE seq > ?", (first,))  # type: ignore[attr-defined]
        sql = "UPDATE tasks SET link = (SELECT link FROM task_events WHERE task_id = 'run' AND seq = ?)"
        db.execute(sql, (first,))  # type: ignore[attr-defined]

    store.append("run", [NewEvent(event_type="log", payload={"message": "unlinked"})] * 2)
    store._writer.run(append_as_an_earlier_version)  # type: ignore[attr-defined]
    assert [(one.first, one.last) for one in report(store).unlinked] == [(first + 1, first + 2)]
    store.append("run", NewEvent(event_type="log", payload={"message": "linked again"}))
    found = report(store)
    assert found.intact
    assert [(one.first, one.last) for one in found.unlinked] == [(first + 1, first + 2)]

    def remove_a_link(db: object) -> None:
        db.execute("UPDATE task_events SET link = NULL WHERE seq = ?", (first,))  # type: ignore[attr-defined]

    store._writer.run(remove_a_link)  # type: ignore[attr-defined]
    assert [fault.kind for fault in report(store).faults] == ["link_removed"]


@pytest.mark.parametrize("wrong", [{"link": "zz"}, {"link": "ab"}, {"seq": 10**30}, {"seq": 0}])
async def test_an_import_names_a_head_that_is_none(store: Store, wrong: dict[str, object]) -> None:
    store.append("run", list(run(seed=1, length=10)))
    exported = await linked_events(store, "run")
    given = {"task_id": "run", "identity": "i", "seq": 1, "link": "00" * 32, "signed_at": "T", "reason": "end"}
    head = SignedHead(**given | {"key_id": "k", "signature": "00"} | wrong)  # type: ignore[arg-type]
    record = TaskRecord(task_id="copy", created_at=exported[0].created_at)
    with pytest.raises(InvalidEvent, match="a signed head of the log is not valid"):
        store.import_task(record, exported, heads=[head])
