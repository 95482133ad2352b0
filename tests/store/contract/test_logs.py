"""Test the calls that runs and commands make, on a local store and on a remote log: both give the same answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing

import pytest

from signalbox.store import InvalidEvent, NewEvent, UnknownTask
from signalbox.store.events import new_id
from signalbox.store.log import Log, events_of, page_of, task_of, unfinished_of
from signalbox.store.remote import RemoteLog
from signalbox.store.state import Unfinished
from tests.support.server import Server


@pytest.fixture(params=["store", "remote"])
def log(request: pytest.FixtureRequest, server: Server) -> Iterator[Log]:
    if request.param == "store":
        yield server.store
        return
    remote = RemoteLog(server.url)
    yield remote
    remote.close()


def line(message: str, key: str | None = None) -> NewEvent:
    return NewEvent(event_type="log", payload={"message": message}, key=key)


async def test_a_task_is_created_once_by_blocking_and_async_calls(log: Log) -> None:
    task_id = new_id()
    task, new = await log.acreate_task(task_id, title="One", kind="test", metadata={"a": [1]})
    assert (task.title, task.kind, task.metadata, task.project_id, new) == ("One", "test", {"a": [1]}, "default", True)
    again, new = log.create_task(task_id, title="Other")
    assert (again.title, new) == ("One", False)


async def test_blocking_and_async_appends_keep_order_and_keys(log: Log) -> None:
    task_id = new_id()
    first = log.append(task_id, [line("a"), line("b", "k")])
    assert await log.aappend(task_id, line("b", "k")) == first[1:]
    second = await log.aappend(task_id, line("c"))
    assert [event.seq for event in first + second] == [1, 2, 3]
    ids = [event.event_id for event in first + second]
    assert ids == sorted(set(ids))
    assert await page_of(log, task_id, 1, 1) == first[1:]
    assert (await task_of(log, task_id)).latest_seq == 3
    assert log.append(task_id, []) == await log.aappend(task_id, []) == []


async def test_local_and_remote_logs_raise_the_same_errors(log: Log) -> None:
    for refused in (NewEvent(event_type=""), line("x", "signalbox:mine")):
        with pytest.raises(InvalidEvent) as sync:
            log.append("refused", [line("before"), refused])
        with pytest.raises(InvalidEvent) as awaited:
            await log.aappend("refused", [line("before"), refused])
        assert (sync.value.field, str(sync.value)) == (awaited.value.field, str(awaited.value))
    for ask in (task_of, unfinished_of):
        with pytest.raises(UnknownTask):
            await ask(log, "refused")
    with pytest.raises(UnknownTask):
        await anext(events_of(log, "refused"))


async def test_a_tail_yields_each_event_after_a_seq_once(log: Log) -> None:
    task_id = new_id()
    await log.aappend(task_id, [line(str(n)) for n in range(5)])

    async def write() -> None:
        for n in range(5, 10):
            await log.aappend(task_id, line(str(n)))

    writing = asyncio.create_task(write())
    seqs = []
    async with asyncio.timeout(60), aclosing(events_of(log, task_id, since_seq=2)) as events:
        async for event in events:
            seqs.append(event.seq)
            if event.seq == 10:
                break
    await writing
    assert seqs == list(range(3, 11))


async def test_unfinished_lines_are_the_last_ones_set(log: Log) -> None:
    task_id = new_id()
    await log.aappend(task_id, NewEvent(event_type="runner_spawn"))
    lines = [Unfinished("50 %", "stdout")]
    await log.aset_unfinished(task_id, [Unfinished("10 %", "stdout")])
    await log.aset_unfinished(task_id, lines)
    assert await unfinished_of(log, task_id) == lines
    await log.aappend(task_id, NewEvent(event_type="runner_exit", payload={"exit_code": 0}))
    assert await unfinished_of(log, task_id) == []
