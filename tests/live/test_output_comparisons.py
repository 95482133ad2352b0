"""Test that a comparison of outputs is made once, and ends when nobody waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import msgspec
import pytest

from signalbox.store import NewEvent, Store
from signalbox.store.state import Task
from signalbox.webapp.live import output_comparisons
from signalbox.webapp.live.output_comparisons import OutputComparisons
from signalbox.webapp.views.compared_output import ComparedOutput, RunOutput, compared_output


async def two_runs(store: Store) -> list[Task]:
    for task_id in ("a", "b"):
        store.append(task_id, [NewEvent(event_type="log", payload={"message": f"line of {task_id}"}) for _ in range(3)])
    async with store.read() as view:
        return [await view.task(task_id) for task_id in ("a", "b")]


async def test_requests_for_the_same_comparison_share_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def count(a: RunOutput, b: RunOutput, pause_point: Callable[[], None]) -> ComparedOutput:
        calls.append(1)
        return compared_output(a, b, pause_point)

    monkeypatch.setattr(output_comparisons, "compared_output", count)
    comparisons, (a, b) = OutputComparisons(store), await two_runs(store)
    first, second = await asyncio.gather(comparisons.of(a, b), comparisons.of(a, b))
    assert first is second
    assert (first.only_a, first.only_b, len(calls)) == (3, 3, 1)


async def test_a_comparison_ends_when_its_request_is_cancelled(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    running, ended = threading.Event(), threading.Event()

    def endless(a: RunOutput, b: RunOutput, pause_point: Callable[[], None]) -> ComparedOutput:
        running.set()
        try:
            while True:
                pause_point()
        finally:
            ended.set()

    monkeypatch.setattr(output_comparisons, "compared_output", endless)
    comparisons, (a, b) = OutputComparisons(store), await two_runs(store)
    request = asyncio.create_task(comparisons.of(a, b))
    await asyncio.to_thread(running.wait, 10)
    request.cancel()
    assert await asyncio.to_thread(ended.wait, 10)
    monkeypatch.undo()
    assert (await comparisons.of(a, b)).differs


async def test_a_run_that_went_on_in_another_way_after_a_restore_is_compared_again(store: Store) -> None:
    comparisons, (a, b) = OutputComparisons(store), await two_runs(store)
    first = await comparisons.of(a, b)
    restored = msgspec.structs.replace(a, updated_at="2026-11-21T14:02:07.000000Z")
    assert await comparisons.of(restored, b) is not first
    assert await comparisons.of(a, b) is first


async def test_an_erased_line_is_in_no_comparison(store: Store) -> None:
    comparisons, (a, b) = OutputComparisons(store), await two_runs(store)
    first = await comparisons.of(a, b)
    assert "line of a" in repr(first)
    await store.aerase_events("a", [1, 2, 3], actor="ann", reason="asked for")
    assert "line of a" not in repr(await comparisons.of(a, b))
    comparisons.forget()
    assert await comparisons.of(a, b) is not first
