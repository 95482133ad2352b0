"""The index of the conversation: which events it has, whatever the kind of store."""

from __future__ import annotations

from signalbox.store import Event, NewEvent, Store, TaskRecord
from signalbox.store.contract import ConversationEntry

MODEL = {"work_type": "llm", "work_item_id": "call", "model": "small-1"}


def event(event_type: str, span_id: str = "run", **payload: object) -> NewEvent:
    return NewEvent(event_type=event_type, span_id=span_id, payload=payload)


LOG = [
    event("runner_spawn"),
    event("tool_status", "t", tool_name="before any model call"),
    event("log", message="line"),
    event("work_item_start", "a", **MODEL),
    event("log", "a", message="prompt", messages=[{"role": "user", "content": "Hi"}]),
    event("token", "a", text="Hel"),
    event("token", "b", text="Bon"),
    event("token", "a", text="lo"),
    event("log", message="line"),
    event("work_item_complete", "a", usage={"input_tokens": 1}),
    event("token", "b", text="jour"),
    event("tool_status", "t", tool_name="shell"),
    event("permission_request", request_id="r", tool_name="shell"),
]
ENTRIES = [
    ConversationEntry(4, 4, "a"),
    ConversationEntry(5, 5, "a"),
    ConversationEntry(6, 8, "a", True),
    ConversationEntry(7, 11, "b", True),
    ConversationEntry(10, 10, "a"),
    ConversationEntry(12, 12, "t"),
    ConversationEntry(13, 13, "run"),
]


async def read(store: Store, task_id: str) -> list[ConversationEntry]:
    async with store.read() as view:
        return await view.conversation(task_id)


async def test_the_index_has_model_calls_tools_and_streamed_answers(store: Store) -> None:
    await store.aappend("at-once", LOG)
    for one in LOG:
        await store.aappend("one-by-one", one)
    assert await read(store, "at-once") == await read(store, "one-by-one") == ENTRIES


async def test_parts_of_the_index_are_read_by_seq_and_by_span(store: Store) -> None:
    await store.aappend("t", LOG)
    async with store.read() as view:
        assert await view.conversation("t", 2) == ENTRIES[-2:]
        assert await view.conversation("t", 2, before=10) == ENTRIES[2:4]
        assert await view.conversation("t", spans=["b", "t"]) == [ENTRIES[3], ENTRIES[5]]
        assert await view.conversation("t", spans=[]) == []
        pieces: list[Event] = await view.events_of_span("t", "a", 6, 8)
        assert [piece.payload["text"] for piece in pieces] == ["Hel", "lo"]
        assert [event.seq for event in await view.events_of_span("t", "a", 4, 10, 2)] == [8, 10]


async def test_an_imported_log_has_the_same_index_and_a_deleted_task_none(store: Store) -> None:
    await store.aappend("t", LOG)
    async with store.read() as view:
        task, log = await view.task("t"), await view.events("t", 0, 100)
    record = TaskRecord(task_id="copy", created_at=task.created_at)
    await store.aimport_task(record, log)
    assert await read(store, "copy") == ENTRIES
    await store.adelete_task("copy")
    assert await read(store, "copy") == []
