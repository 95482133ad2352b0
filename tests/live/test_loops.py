"""Background loops survive errors and report them, and end with the app under any ASGI server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox.store import NewEvent, StoreUnavailable, loops
from signalbox.store.loops import STEP, Loop, end_tasks, shared_pause
from signalbox.webapp.app import create_app
from signalbox.webapp.live.control_messages import JSON, ControlMessages
from signalbox.webapp.live.sse import named
from signalbox.webapp.settings import Settings


@pytest.fixture(autouse=True)
def shorten_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the pause after an error."""
    monkeypatch.setattr(loops, "FIRST_PAUSE", 0.01)


@pytest.fixture
def settings(url: str) -> Settings:
    return Settings(
        store=url, keepalive_interval=1.0, heartbeat_timeout=0.4, poll_interval=0.01, max_poll_interval=0.05
    )


async def wait_for_report(problems: Callable[[], Awaitable[set[str]]], code: str, *, present: bool) -> None:
    """Wait until `code` is one of the problems, or is none of them."""
    async with asyncio.timeout(60):
        while (code in await problems()) != present:  # noqa: ASYNC110 - a response tells it, no event
            await asyncio.sleep(0.02)


async def test_a_loop_that_rests_long_works_again_soon_after_a_failure() -> None:
    loop, fails, worked = Loop("one"), True, asyncio.Event()

    async def turn() -> None:
        nonlocal fails
        if fails:
            fails = False
            raise StoreUnavailable("no")
        await loop.rest(3600)
        worked.set()

    task = asyncio.create_task(loop.run(turn))
    await asyncio.wait_for(worked.wait(), 60)
    await asyncio.sleep(0)
    assert loop.last_error is None
    await end_tasks(task)


@pytest.mark.parametrize("error", [RuntimeError("a bug"), StoreUnavailable("no"), asyncio.CancelledError()])
async def test_a_loop_continues_after_any_exception(error: BaseException) -> None:
    loop, turns, reports, done = Loop("one", max_pause=0.02), 0, [], asyncio.Event()

    async def turn() -> None:
        nonlocal turns
        turns += 1
        await asyncio.sleep(0)
        if turns <= 3:
            raise error
        done.set()
        await asyncio.sleep(0.01)

    running = asyncio.create_task(loop.run(turn, lambda: reports.append(loop.last_error)))
    await asyncio.wait_for(done.wait(), 60)
    assert loop.failures == len(reports) == 3
    async with asyncio.timeout(60):
        while loop.last_error is not None:  # noqa: ASYNC110 - the loop sets no event at the end of a turn
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert running.cancelled()


METHODS = {
    "tail": ("tail", "_deliver"),
    "supervisor": ("supervisor", "_check_all"),
    "rights": ("directory", "_refresh"),
    "sweeper": ("hub._sweeper", "_lanes"),
    "permission_counts": ("hub._permission_counts", "_project_sets"),
    "task_changes": ("hub._task_changes", "_end"),
}


@pytest.mark.parametrize("end", ["an answer", "an error"])
async def test_a_loop_ends_although_its_turn_lost_the_cancellation(end: str) -> None:
    begun = asyncio.Event()

    async def turn() -> None:
        begun.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            if end == "an error":
                raise RuntimeError("the connection was interrupted") from None

    running = asyncio.create_task(Loop("one").run(turn))
    await begun.wait()
    async with asyncio.timeout(60):
        await end_tasks(running)
    assert running.cancelled()


async def test_a_task_that_loses_a_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "CANCEL_AGAIN", 0.01)
    begun = asyncio.Event()

    async def work() -> None:
        for _ in range(3):
            with suppress(asyncio.CancelledError):
                begun.set()
                await asyncio.sleep(3600)

    async def fail() -> None:
        raise RuntimeError("a bug")

    running, failed = asyncio.create_task(work()), asyncio.create_task(fail())
    await begun.wait()
    async with asyncio.timeout(60):
        await end_tasks(running, failed, None)
    assert running.done()


async def test_every_loop_survives_errors_and_reports_them_in_health_and_metrics(settings: Settings) -> None:
    app = create_app(settings)
    async with app.test_app():
        client = app.test_client()
        store = app.extensions["store"]

        async def problems() -> set[str]:
            response = await (await client.get("/api/events/health")).get_json()
            return {problem["code"] for problem in response["problems"]}

        for name, (path, method) in METHODS.items():
            first, *inner = path.split(".")
            broken = app.extensions[first]
            for step in inner:
                broken = getattr(broken, step)

            def raise_error(*given: Any, name: str = name) -> Any:
                raise RuntimeError(f"a bug in {name}")

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(broken, method, raise_error)
                app.extensions["hub"].lanes.channels["t"] = app.extensions["hub"].lanes._channel("t")
                await store.aappend("t", _permission_request(name))
                await wait_for_report(problems, f"loop_{name}", present=True)
            await wait_for_report(problems, f"loop_{name}", present=False)
            metrics = await (await client.get("/metrics")).get_data(as_text=True)
            assert f'signalbox_loop_failing{{loop="{name}"}} 0.0' in metrics
            assert f'signalbox_loop_failures_total{{loop="{name}"}} 0.0' not in metrics
        assert await problems() == set()


def _permission_request(name: str) -> Any:
    return NewEvent(event_type="permission_request", payload={"request_id": name})


async def test_the_shutdown_of_the_app_ends_its_streams_and_loops(settings: Settings, tmp_path: Path) -> None:
    app, before = create_app(settings), asyncio.all_tasks()
    sent: list[dict[str, Any]] = []
    opened = asyncio.Event()

    async def send(message: Any) -> None:
        sent.append(message)
        if b": open" in message.get("body", b""):
            opened.set()

    async def receive() -> Any:
        await asyncio.Event().wait()

    async with app.test_app():
        app.extensions["store"].create_task("t")
        scope = await _scope("/sse/tasks/t/events")
        stream = asyncio.create_task(app.asgi_app(scope, receive, send))
        await asyncio.wait_for(opened.wait(), 60)
    await asyncio.wait_for(stream, 60)
    body = b"".join(message.get("body", b"") for message in sent)
    assert b"event: reconnect" in body
    assert b'"reason":"shutdown"' in body
    assert sent[-1]["more_body"] is False
    assert asyncio.all_tasks() == before


async def _scope(path: str) -> dict[str, Any]:
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "extensions": {},
        "headers": [(b"host", b"localhost")], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip


async def test_streams_with_different_control_messages_have_different_lanes(settings: Settings) -> None:
    class OtherMessages(ControlMessages):
        def heartbeat(self, cursor: int) -> bytes:
            return named("other", {})

    app, other = create_app(settings), OtherMessages()
    async with app.test_app():
        hub = app.extensions["hub"]
        lanes = [hub.lanes.event_lane("t", str, 10, 0.5, control_messages) for control_messages in (JSON, other, JSON)]
        frames = [
            hub.lanes.frame_lane("t", None, "key", control_messages=control_messages)
            for control_messages in (JSON, other, JSON)
        ]
        boards = [hub.lanes.board_lane("key", None, control_messages=messages) for messages in (JSON, other, JSON)]
        for first, second, third in (lanes, frames, boards):
            assert first is third
            assert (first.control_messages, second.control_messages) == (JSON, other)


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(STEP, 60))
def test_loops_that_sleep_at_different_times_wake_together(first: float, second: float, seconds: float) -> None:
    async def wake_time(now: float) -> float:
        loop = asyncio.get_running_loop()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop, "time", lambda: now)
            pause = shared_pause(seconds)
        assert max(seconds - STEP, seconds / 8) <= pause + 1e-6
        assert pause <= seconds * 1.125 + 1e-6
        return now + pause

    between = asyncio.run(wake_time(first)) - asyncio.run(wake_time(second))
    assert between == pytest.approx(round(between / STEP) * STEP, abs=1e-6)


async def test_short_pauses_stay_as_they_are() -> None:
    assert shared_pause(0.4) == 0.4
