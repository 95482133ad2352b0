"""A frame that is rendered from memory equals one that is read from the store, for any log and any other change."""

from __future__ import annotations

import asyncio
import sqlite3
import tracemalloc
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, closing
from contextvars import Context
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from e2e.random_run import run
from signalbox.store import NewEvent, Reading, Store, replica
from signalbox.store.blocking import run_without_waiting
from signalbox.store.contract import Peek
from signalbox.store.sqlite import SqliteStore
from signalbox.store.state import Unfinished
from signalbox.webapp.live import watched_task
from signalbox.webapp.live.renderer import NotInMemory
from signalbox.webapp.live.ring import Ring
from signalbox.webapp.live.watched_task import WatchedTask
from signalbox.webapp.views import task as task_views
from signalbox.webapp.views.task import task_view
from tests.live.test_frames_equal_pages import events
from tests.support.examples import examples
from tests.support.rendering import FRAGMENTS, WINDOW, frame, log

Action = str | Sequence[NewEvent]

ACTIONS = ("archive", "restore", "mark stale", "show progress", "clear progress", "answer", "interrupt")
actions = st.one_of(st.lists(events, min_size=1, max_size=5), st.sampled_from(ACTIONS))
COMMAND = {"command": ["make", "all"], "cwd": "/srv/build"}
RESTARTED = [NewEvent(event_type="runner_spawn", payload=COMMAND)]
CIRCLE = [NewEvent(event_type="span_progress", span_id="a", parent_span_id="b")]
ENDED = [NewEvent(event_type="runner_exit", payload={"exit_code": 1})]
QUESTION = [NewEvent(event_type="permission_request", payload={"request_id": "r1", "tool_name": "rm"})]
INTERRUPTED = NewEvent(event_type="status", actor="supervisor", payload={"status": "interrupted"})
ANSWER = NewEvent(event_type="permission_response", actor="user", payload={"approved": True, "by": "ada"})


def request(number: int) -> NewEvent:
    return NewEvent(event_type="permission_request", payload={"request_id": f"request-{number}", "tool_name": "rm"})


def item(change: str, number: int) -> NewEvent:
    return NewEvent(event_type=f"work_item_{change}", span_id=f"item-{number}")


def checkpoint(number: int) -> NewEvent:
    return NewEvent(event_type="checkpoint_commit", payload={"checkpoint_id": f"checkpoint-{number}"})


@pytest.fixture(params=["whole replicas", "partial replicas"])
def limits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "partial replicas":
        for name in ("MAX_SPANS", "MAX_CHECKPOINTS", "MAX_PERMISSIONS"):
            monkeypatch.setattr(replica, name, 2)
        for name in ("OPEN_SPANS", "ENDED_SPANS", "CHECKPOINTS", "PERMISSIONS"):
            monkeypatch.setattr(task_views, name, 1)
        monkeypatch.setattr(watched_task, "READS_BETWEEN_LOADS", 0)
    return str(request.param)


class Watcher:
    """Follows one task as the hub does: with a tail, and with checks for changes without an event."""

    def __init__(self, store: Store, task_id: str) -> None:
        self._store, self._task_id = store, task_id
        self._ring = Ring(1000)
        self.task = WatchedTask(store, task_id, self._ring)
        self._peek: Peek = store.peek()
        self._event_id = 0
        self._stored: dict[int, str] = {}
        self.reads = 0

    async def deliver(self) -> None:
        """Receive new events, as from the tail."""
        if await self._peek.moved():
            new = await self._peek.events_after(self._event_id, 10_000)
            self._event_id = new[-1].event_id if new else self._event_id
            mine = [event for event in new if event.task_id == self._task_id]
            self._ring.push(mine)
            self.task.follow(mine)

    async def lose(self) -> None:
        """Lose new events."""
        await self._peek.moved()
        self._event_id = (await self._peek.events_after(self._event_id, 10_000))[-1].event_id

    async def load(self, change: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Load the replica, and await `change()` during the read, which does not see the change."""
        with pytest.MonkeyPatch.context() as patch:

            @asynccontextmanager
            async def changing_read() -> AsyncIterator[Reading]:
                patch.undo()
                async with self._store.read() as view:
                    await view.task(self._task_id)
                    # In a context of its own, as in another task: there the view is not held.
                    await asyncio.create_task(change(), context=Context())
                    yield view

            patch.setattr(self._store, "read", changing_read)
            await self.task.load()

    async def check(self) -> None:
        """Check for changes without an event."""
        async with self._store.read() as view:
            self.task.check((await view.standings([self._task_id]))[self._task_id])

    async def compare(self, *, partial: bool = False, unchanged: bool = False) -> None:
        """Compare the frames for pages at several cursors with those that are read from the store.

        A `partial` replica may lack spans of new rows. Such a frame is read from the store. If the store is `unchanged`
        since the last comparison, the frames that were read for it serve again.
        """
        head = self._ring.head
        if not unchanged:
            self._stored.clear()
        for cursor in {1, head // 2 or 1, *range(max(1, head - 6), head + 1)}:
            try:
                found = self.render(cursor)
            except NotInMemory:
                self.reads += 1
                await self.task.load()
                try:
                    found = self.render(cursor)
                except NotInMemory:
                    assert partial
                    continue
            if cursor not in self._stored:
                self._stored[cursor] = await frame(self._store, cursor, self._task_id)
            assert found == self._stored[cursor]

    def render(self, cursor: int) -> str:
        reading = self.task.reading(cursor)
        return FRAGMENTS.task_frame(
            run_without_waiting(task_view(reading, self._task_id, since=cursor, window=WINDOW)), cursor
        )

    async def close(self) -> None:
        await self._peek.aclose()


def perform(store: Store, task_id: str, action: Action) -> bool:
    """Change a task. Return whether the change is completely in its log."""
    if not isinstance(action, str):
        store.append(task_id, action)
    elif action == "interrupt":
        store.append_while(task_id, INTERRUPTED, lambda task: not task.ended)
    elif action == "answer":
        store.append_while(task_id, ANSWER, lambda task: task.permissions_open > 0)
    elif action == "mark stale":
        latest = store.append(task_id, log("before a long silence"))[-1].seq
        store.mark_stale(task_id, latest)
    elif action in ("archive", "restore"):
        store.archive_task(task_id, action == "archive", actor="ada")
    else:
        store.set_unfinished(task_id, [Unfinished("50 %", "stderr")] if action == "show progress" else [])
    return not isinstance(action, str) or action in ("interrupt", "answer")


@pytest.mark.long
@pytest.mark.examples
@settings(max_examples=examples(12), suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(given_actions=["archive", [log("one")], "restore", "show progress", "mark stale", [log("two")], ENDED])
@example(given_actions=[QUESTION, "answer", QUESTION, "interrupt", [log("alive")], "show progress", ENDED, RESTARTED])
@example(given_actions=["show progress", [*RESTARTED, *ENDED, *RESTARTED], ENDED])
@example(given_actions=[[log("x" * 5000)], RESTARTED, ENDED, [NewEvent(event_type="log", span_id="late")]])
@example(given_actions=[[request(n)] for n in range(5)] + ["answer"] * 4)
@example(given_actions=[[item("start", n)] for n in range(5)] + [[item("complete", n)] for n in range(5)])
@example(given_actions=[[checkpoint(n)] for n in (1, 2, 3, 1, 2)])
@example(given_actions=[[NewEvent(event_type="span_end", span_id="b", parent_span_id="a")], CIRCLE])
@given(given_actions=st.lists(actions, max_size=12))
async def test_a_frame_from_memory_equals_a_frame_from_the_store(
    given_actions: list[Action], store: Store, limits: str
) -> None:
    task_id = store.create_task()[0].task_id
    store.append(task_id, [NewEvent(event_type="runner_spawn")])
    watcher, partial = Watcher(store, task_id), limits != "whole replicas"
    await watcher.deliver()
    await watcher.compare(partial=partial)
    for action in given_actions:
        is_in_the_log = perform(store, task_id, action)
        await watcher.deliver()
        if is_in_the_log:
            assert watcher.task.task or partial
            await watcher.compare(partial=partial)
            replica_before = watcher.task.task
            await watcher.check()
            assert watcher.task.task is replica_before
        await watcher.check()
        await watcher.compare(partial=partial, unchanged=is_in_the_log)
    await watcher.close()


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_whole_run_is_followed_with_one_read(store: Store, seed: int) -> None:
    whole = list(run(seed, 150))
    store.append("run", whole[:20])
    watcher = Watcher(store, "run")
    await watcher.deliver()
    await watcher.compare()
    for start in range(20, len(whole), 7):
        store.append("run", whole[start : start + 7])
        await watcher.deliver()
        await watcher.check()
        await watcher.compare()
    assert watcher.reads == 1
    await watcher.close()


async def test_a_page_is_read_again_after_an_event_is_lost(store: Store) -> None:
    store.append("run", log("one"))
    watcher = Watcher(store, "run")
    await watcher.deliver()
    await watcher.compare()
    await watcher.compare()
    store.append("run", [item("start", 1)])
    await watcher.lose()
    store.append("run", log("three"))
    await watcher.deliver()
    assert watcher.task.task is None
    await watcher.task.load()
    assert watcher.render(2) == await frame(store, 2)
    await watcher.close()


async def test_a_page_shows_the_stored_state_after_a_payload_was_damaged(store: SqliteStore) -> None:
    store.append("run", [NewEvent(event_type="runner_spawn")])
    watcher = Watcher(store, "run")
    await watcher.deliver()
    await watcher.compare()
    await watcher.compare()
    store.append("run", [NewEvent(event_type="progress_update", payload={"progress": {"percentage": 40}})])
    with closing(sqlite3.connect(store.path)) as db:
        db.execute("UPDATE task_events SET payload = '{' WHERE seq = 2")
        db.commit()
    await watcher.deliver()
    store.append("run", [NewEvent(event_type="log", phase="build")])
    await watcher.deliver()
    await watcher.task.load()
    assert watcher.render(2) == await frame(store, 2)
    await watcher.close()


async def test_a_watched_task_keeps_no_decoded_copies_of_long_payloads(store: Store) -> None:
    store.append("run", [NewEvent(event_type="runner_spawn")])
    watcher = Watcher(store, "run")
    await watcher.deliver()
    await watcher.compare()
    nested: list[list[object]] = [[] for _ in range(10_000)]
    for _ in range(5):
        store.append("run", [NewEvent(event_type="progress_update", payload={"details": nested})])
    tracemalloc.start()
    try:
        await watcher.deliver()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert watcher.task.task
    assert watcher.task.task.latest_seq == 6
    assert kept < 2 * 5 * len(msgspec.json.encode(nested))
    await watcher.close()


async def test_events_that_arrive_during_the_first_read_are_neither_lost_nor_counted_twice(store: Store) -> None:
    store.append("run", [log("one"), log("two")])
    watcher = Watcher(store, "run")
    await watcher.deliver()

    async def append() -> None:
        store.append("run", [item("start", 1), log("four")])
        await watcher.deliver()

    await watcher.load(append)
    assert watcher.task.task
    assert watcher.task.task.latest_seq == 4
    await watcher.compare()
    store.append("run", [item("start", 2)])
    await watcher.deliver()
    await watcher.compare()
    assert watcher.reads == 0
    await watcher.close()


async def test_a_task_that_is_archived_during_the_first_read_is_shown_as_archived(store: Store) -> None:
    store.append("run", log("one"))
    watcher = Watcher(store, "run")
    await watcher.deliver()

    async def archive() -> None:
        store.archive_task("run", True, actor="ada")
        await watcher.check()

    await watcher.load(archive)
    await watcher.compare()
    await watcher.close()
