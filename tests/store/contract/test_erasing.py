"""Test erasing: the content of events is gone everywhere, and the rest of the log stays provable."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from typing import Any

import pytest

from e2e.random_run import run
from signalbox.store import Conflict, InvalidEvent, NewEvent, NotFound, Store, UnknownTask
from signalbox.store.chain.tombstones import tombstone_of
from signalbox.store.postgresql import doctor as of_postgresql
from signalbox.store.sql import log_writing
from signalbox.store.sql.append import append, to_draft
from signalbox.store.sqlite import SqliteStore
from signalbox.store.sqlite import doctor as of_sqlite
from signalbox.store.verification import open_source, verify_task
from tests.support.log import audits_of, log_of, task_of
from tests.support.raw_rows import every_text

SECRET = "Zyxwv Utsrq"


def fill(store: Store) -> None:
    """Append a run in which a secret occurs in every kind of state."""
    store.append("run", NewEvent(event_type="runner_spawn", span_id="main", payload={"title": SECRET}))
    store.append(
        "run",
        [
            NewEvent(event_type="log", payload={"message": f"line about \x1b[1m{SECRET}", "stream": "stderr"}),
            NewEvent(event_type="work_item_start", span_id="w", payload={"work_item_id": SECRET, "name": SECRET}),
            NewEvent(event_type="work_item_failed", span_id="w", payload={"error": SECRET}),
            NewEvent(event_type="checkpoint_commit", payload={"checkpoint_id": "c", "summary": SECRET}),
            NewEvent(event_type="permission_request", payload={"request_id": "r", "arguments": {"a": SECRET}}),
            NewEvent(event_type="user_message", payload={"content": SECRET}),
            NewEvent(event_type="assistant_message", payload={"content": [{"type": "text", "text": SECRET}]}),
            NewEvent(event_type="title_changed", payload={"title": SECRET}),
            NewEvent(event_type="tags_changed", payload={"tags": {"customer": SECRET, SECRET: "yes"}}),
            NewEvent(event_type="links_changed", payload={"links": {SECRET: "https://example.org/"}}),
        ],
    )
    response = NewEvent(
        event_type="permission_response", payload={"request_id": "r", "response": "deny", "reason": SECRET, "by": "ann"}
    )
    store.append_audited("run", response, actor="ann", action="permission_response")
    message = NewEvent(event_type="message_sent", payload={"message": SECRET, "by": "ann"})
    store.append_audited("run", message, actor="ann", action="message_sent")
    store.add_artifact("run", io.BytesIO(SECRET.encode()), f"{SECRET}.txt")
    store.append("run", list(run(seed=1, length=30))[1:])
    store.append("run", NewEvent(event_type="runner_exit", span_id="main", payload={"exit_code": 1, "error": SECRET}))


def test_the_artifact_of_an_erased_event_goes_also_if_the_process_is_killed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store)
    (seq,) = (event.seq for event in log_of(store, "run") if event.event_type == "artifact_stored")
    monkeypatch.setattr(log_writing.artifacts, "delete_unused", lambda *_: (_ for _ in ()).throw(KeyError("killed")))
    with pytest.raises(KeyError):
        store.erase_events("run", [seq], actor="ann", reason="asked for")
    monkeypatch.undo()
    content = SECRET.encode()
    assert content in pieces(store)
    store.remove_deleted()
    assert content not in pieces(store)


def pieces(store: Store) -> list[bytes]:
    """Return the pieces of all contents."""
    rows = asyncio.run(store.raw_rows.rows("SELECT content FROM artifact_pieces"))  # type: ignore[attr-defined]
    return [bytes(row[0]) for row in rows]


def test_the_content_of_erased_events_is_gone_from_every_table(store: Store) -> None:
    fill(store)
    assert any(SECRET in text for text in every_text(store.url))
    seqs = [event.seq for event in log_of(store, "run") if SECRET in bytes(event.payload_json).decode()]
    before = task_of(store, "run")
    assert store.erase_events("run", seqs, actor="ann", reason="the customer asked for it") == seqs
    assert [text for text in every_text(store.url) if SECRET in text] == []
    after = task_of(store, "run")
    assert (after.status, after.latest_seq, after.exit_code) == (before.status, before.latest_seq, 1)
    with open_source(store.url) as source:
        found = verify_task(source, "run")
    assert (found.intact, found.erased, found.events) == (True, seqs, after.latest_seq)
    stone = tombstone_of(log_of(store, "run")[seqs[0] - 1].payload)
    assert stone is not None
    assert (stone.by, stone.reason) == ("ann", "the customer asked for it")
    audit = audits_of(store, "run")[0]
    assert (audit["action"], audit["actor"], audit["detail"]["seqs"]) == ("events_erased", "ann", seqs)


def test_the_stored_state_still_equals_the_fold_of_the_log(store: Store) -> None:
    fill(store)
    store.erase_events("run", list(range(1, 14)), actor="ann", reason="test")
    store.append("run", NewEvent(event_type="log", payload={"message": "later"}))
    findings = of_sqlite.examine(store.path) if isinstance(store, SqliteStore) else of_postgresql.examine(store.url)
    assert [found.message for found in findings if found.code == "projection"] == []


def test_a_tombstone_that_was_changed_is_found(store: Store) -> None:
    fill(store)
    store.erase_events("run", [2, 3], actor="ann", reason="test")

    def change(db: object) -> None:
        sql = 'UPDATE task_events SET payload = replace(payload, \'"by":"ann"\', \'"by":"bob"\') WHERE seq = 2'
        db.execute(sql)  # type: ignore[attr-defined]

    def change_type(db: object) -> None:
        db.execute("UPDATE task_events SET event_type = 'other' WHERE seq = 3")  # type: ignore[attr-defined]

    store._writer.run(change)  # type: ignore[attr-defined]
    store._writer.run(change_type)  # type: ignore[attr-defined]
    with open_source(store.url) as source:
        faults = verify_task(source, "run").faults
    assert [(fault.kind, fault.seq) for fault in faults] == [("tombstone", 2), ("tombstone", 3)]


def test_a_second_erasure_leaves_tombstones_as_they_are(store: Store) -> None:
    fill(store)
    store.erase_events("run", [2], actor="ann", reason="first")
    (first,) = (event.payload_json for event in log_of(store, "run") if event.seq == 2)
    assert store.erase_events("run", [2, 3], actor="bob", reason="second") == [3]
    assert log_of(store, "run")[1].payload_json == first


def test_an_erasure_names_what_is_wrong(store: Store) -> None:
    fill(store)
    with pytest.raises(NotFound, match="has no event #999"):
        store.erase_events("run", [2, 999], actor="ann", reason="test")
    with pytest.raises(InvalidEvent, match="reason"):
        store.erase_events("run", [2], actor="ann", reason="")
    with pytest.raises(InvalidEvent, match="1 to 10,000 events, not 0"):
        store.erase_events("run", [], actor="ann", reason="test")
    with pytest.raises(UnknownTask):
        store.erase_events("none", [2], actor="ann", reason="test")
    with pytest.raises(UnknownTask):
        store.erase_events("run", [2], actor="ann", reason="test", identity="other")
    store.hold_task("run", "a dispute", actor="ann")
    with pytest.raises(Conflict, match="is held"):
        store.erase_events("run", [2], actor="ann", reason="test")
    assert SECRET in str(log_of(store, "run")[1].payload)


def between(store: Store, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Let something happen after an erasure has read the events, and before it has replaced them."""
    run = store._writer.run  # type: ignore[attr-defined]
    acts = iter([act])

    def observed(work: Callable[..., object], *others: object, **options: object) -> object:
        result = run(work, *others, **options)
        if getattr(work, "__name__", "") == "following":
            next(acts, lambda: None)()
        return result

    monkeypatch.setattr(store._writer, "run", observed)  # type: ignore[attr-defined]


def test_a_task_that_is_held_during_an_erasure_keeps_its_events(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store)
    between(store, monkeypatch, lambda: store.hold_task("run", "a dispute", actor="ann"))
    with pytest.raises(Conflict, match="is held"):
        store.erase_events("run", [2], actor="ann", reason="test")
    assert SECRET in str(log_of(store, "run")[1].payload)


def test_two_erasures_at_once_leave_nothing_of_either(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.append("run", NewEvent(event_type="work_item_start", span_id="w", payload={"name": SECRET}))
    store.append("run", NewEvent(event_type="work_item_failed", span_id="w", payload={"message": SECRET}))
    between(store, monkeypatch, lambda: store.erase_events("run", [1], actor="bob", reason="first"))
    assert store.erase_events("run", [2], actor="ann", reason="second") == [2]
    assert [text for text in every_text(store.url) if SECRET in text] == []
    assert [audit["actor"] for audit in audits_of(store, "run")] == ["ann", "bob"]


def test_an_erasure_ignores_events_of_a_transaction_that_was_rolled_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append("run", [NewEvent(event_type="log", payload={"message": SECRET})] * 3)
    run, calls = store.writer.run, list[str]()  # type: ignore[attr-defined]

    def append_once(db: Any) -> None:
        calls.append("append")
        if len(calls) > 1:
            raise Conflict("not again")
        append(db, "run", [to_draft(NewEvent(event_type="work_item_start", span_id="w"))])

    def refuse(db: Any) -> None:
        raise Conflict("no")

    def in_a_group(work: Callable[[Any], Any], weight: int = 1) -> Any:
        if calls or not work.__name__.startswith("following"):
            return run(work, weight)
        # All three are in one transaction, which is rolled back. Then each has its own.
        _, job, _ = [store.writer.submit(one) for one in (append_once, work, refuse)]  # type: ignore[attr-defined]
        store.writer.drain()  # type: ignore[attr-defined]
        return job.result()

    monkeypatch.setattr(store.writer, "run", in_a_group)  # type: ignore[attr-defined]
    assert store.erase_events("run", [2], actor="ann", reason="asked for") == [2]
    assert calls == ["append", "append"]
    assert task_of(store, "run").latest_seq == 3


def test_an_erasure_leaves_every_state_and_number_of_the_run(store: Store) -> None:
    def event(event_type: str, span_id: str | None = None, **payload: Any) -> NewEvent:
        return NewEvent(event_type=event_type, span_id=span_id, payload=payload)

    def respond(request_id: str, **payload: Any) -> None:
        answer = event("permission_response", request_id=request_id, approved=True, by="ann", **payload)
        store.append_audited("run", answer, actor="ann", action="permission_response")

    usage = {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 3}
    store.append(
        "run",
        [
            event("runner_spawn", "main"),
            event("progress_update", progress={"current": 1, "total": 4}),
            event("progress_update", progress={"current": 3, "total": 4, "unit": SECRET}, message=SECRET),
            event("tool_status", "tool", tool_name="a", status="running"),
            event("tool_result", "tool", tool_name="a", error_code=SECRET),
            event("tool_status", "other", tool_name="a", status="running"),
            event("tool_result", "other", tool_name="a", error_code="", output=SECRET),
            event("checkpoint_commit", evidence_refs={"checkpoint_id": "c", "artifacts": [SECRET]}),
            event("checkpoint_verified", checkpoint_id="c"),
            event("assistant_message", "call", content=SECRET, model="m-1", response_id="r", usage=usage),
            event("assistant_message", "call", content="more", model="m-1", response_id="r", usage=usage),
            event("permission_request", request_id="an id of words", tool_name="shell"),
            event("permission_request", request_id="open", tool_name="b"),
        ],
    )
    respond("an id of words", always=True)
    store.append("run", event("allowance_revoked", tool_name="shell", by="ann"), own=True)

    async def states() -> tuple[object, ...]:
        async with store.read() as view:
            task = await view.task("run")
            spans = {span.span_id: (span.state, span.usage) for span in await view.spans("run")}
            asked = [(one.request_id, one.state) for one in await view.permissions("run", open_only=False)]
            committed = [(one.checkpoint_id, one.state) for one in await view.checkpoints("run")]
        return task.status, task.progress, task.usage, task.allowances, task.permissions_open, spans, asked, committed

    before = asyncio.run(states())
    store.erase_events("run", [event.seq for event in log_of(store, "run")], actor="ann", reason="asked for")
    assert asyncio.run(states()) == before
    assert [text for text in every_text(store.url) if SECRET in text] == []
