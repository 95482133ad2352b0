"""Test that the server diagnoses the runs that failed before this version, in the background."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from signalbox.store import NewEvent, Store
from signalbox.store.loops import Loops
from signalbox.webapp.acts import diagnoses


async def test_runs_of_an_earlier_version_are_diagnosed_in_the_background(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnoses, "BUSY_PAUSE", 0.01)
    monkeypatch.setattr(diagnoses, "BATCH", 2)
    end = NewEvent(event_type="runner_exit", payload={"status": "failed", "message": "disk full"})
    for number in range(5):
        store.append(f"run-{number}", [NewEvent(event_type="runner_spawn"), end])

    def forget(db: Any) -> None:
        db.execute("UPDATE tasks SET fingerprint = NULL")

    store._writer.run(forget)  # type: ignore[attr-defined]
    background = diagnoses.Diagnoses(store, Loops())
    async with asyncio.timeout(60):
        while True:
            await asyncio.sleep(0.02)
            async with store.read() as view:
                if not await view.undiagnosed(10):
                    break
    await background.stop()
    async with store.read() as view:
        same = await view.same_error("run-3")
    assert same is not None
    assert same.runs == 5
