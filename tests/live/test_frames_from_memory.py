"""A frame that is rendered from memory equals one that is read from the store, for any log and any other change."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from e2e.random_run import run
from signalbox.store import NewEvent, Store, replica
from signalbox.store.blocking import run_without_waiting
from signalbox.store.contract import Peek
from signalbox.store.state import Unfinished
from signalbox.webapp.live import watched_task
from signalbox.webapp.live.renderer import NotInMemory
from signalbox.webapp.live.ring import Ring
from signalbox.webapp.live.watched_task import WatchedTask
from signalbox.webapp.views import task as task_views
from signalbox.webapp.views.task import task_view
from tests.live.test_frames_equal_pages import events
from tests.support.rendering import FRAGMENTS, WINDOW, frame, log

Action = str | Sequence[NewEvent]

ACTIONS = ("archive", "restore", "mark stale", "show progress", "clear progress", "answer", "interrupt", "join")
actions = st.lists(st.one_of(st.lists(events, min_size=1, max_size=5), st.sampled_from(ACTIONS)), max_size=12)
ENDED = [NewEvent(event_type="runner_exit", payload={"exit_code": 1})]
QUESTION = [NewEvent(event_type="permission_request", payload={"request_id": "r1", "tool_name": "rm"})]
INTERRUPTED = NewEvent(event_type="status", actor="supervisor", payload={"status": "interrupted"})


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
        self.from_memory = self.reads = 0

    async def update(self) -> None:
        """Receive new events, and check for other changes."""
        if await self._peek.moved():
            new = await self._peek.events_after(self._event_id, 10_000)
            self._event_id = new[-1].event_id if new else self._event_id
            mine = [event for event in new if event.task_id == self._task_id]
            self._ring.push(mine)
            self.task.follow(mine)
            async with self._store.read() as view:
                self.task.check((await view.standings([self._task_id]))[self._task_id])

    async def compare(self) -> None:
        """Compare the frames for pages at all cursors with those that are read from the store."""
        for cursor in range(1, self._ring.head + 1):
            try:
                found = self._render(cursor)
            except NotInMemory:
                self.reads += 1
                await self.task.load()
                try:
                    found = self._render(cursor)
                except NotInMemory:
                    continue
            self.from_memory += 1
            assert found == await frame(self._store, cursor, self._task_id)

    def _render(self, cursor: int) -> str:
        reading = self.task.reading(cursor)
        return FRAGMENTS.task_frame(
            run_without_waiting(task_view(reading, self._task_id, since=cursor, window=WINDOW)), cursor
        )

    async def close(self) -> None:
        await self._peek.aclose()


def perform(store: Store, task_id: str, action: Action) -> None:
    if not isinstance(action, str):
        store.append(task_id, action)
    elif action in ("archive", "restore"):
        store.archive_task(task_id, action == "archive", actor="ada")
    elif action == "mark stale":
        latest = store.append(task_id, log("before a long silence"))[-1].seq
        store.mark_stale(task_id, latest)
    elif action == "show progress":
        store.set_unfinished(task_id, [Unfinished("50 %", "stderr")])
    elif action == "clear progress":
        store.set_unfinished(task_id, [])
    elif action == "interrupt":
        store.append_while(task_id, INTERRUPTED, lambda task: not task.ended)
    elif action == "answer":
        store.append_while(task_id, ANSWER, lambda task: task.permissions_open > 0)


ANSWER = NewEvent(event_type="permission_response", actor="user", payload={"approved": True, "by": "ada"})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(given_actions=["join", "archive", [log("one")], "restore", "show progress", "mark stale", [log("two")]])
@example(given_actions=["join", QUESTION, "answer", QUESTION, "interrupt", [log("alive")], "show progress", ENDED])
@given(given_actions=actions)
async def test_a_frame_from_memory_equals_a_frame_from_the_store(
    given_actions: list[Action], store: Store, limits: str
) -> None:
    task_id = store.create_task()[0].task_id
    perform(store, task_id, [NewEvent(event_type="runner_spawn")])
    watcher = Watcher(store, task_id)
    for action in given_actions:
        perform(store, task_id, action)
        await watcher.update()
        if action == "join" or watcher.task.task:
            await watcher.compare()
    await watcher.compare()
    await watcher.close()


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_whole_run_is_followed_with_one_read(store: Store, seed: int) -> None:
    whole = list(run(seed, 150))
    store.append("run", whole[:20])
    watcher = Watcher(store, "run")
    await watcher.update()
    await watcher.compare()
    for start in range(20, len(whole), 7):
        store.append("run", whole[start : start + 7])
        await watcher.update()
        assert watcher.task.task is not None
        assert watcher._render(start) == await frame(store, start)
    assert watcher.reads == 1
    await watcher.close()
