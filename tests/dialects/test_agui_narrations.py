"""Clients of the AG-UI dialect that continue late in a long log make nobody else wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from signalbox.store import Event, NewEvent, open_store
from signalbox.store.sqlite.views import View
from signalbox.webapp.dialects import agui_narrations
from signalbox.webapp.dialects.agui import Narration
from signalbox.webapp.dialects.agui_narrations import Narrations

LOG = [
    NewEvent(event_type="phase_enter", phase="planning"),
    *[NewEvent(event_type="log", payload={"message": f"line {n}"}) for n in range(230)],
    NewEvent(event_type="work_item_start", span_id="w1", payload={"work_item_id": "parser"}),
    NewEvent(event_type="log", payload={"message": "the last line"}),
]


async def test_many_clients_fold_a_log_once_and_hold_no_view_meanwhile(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fold, read, folding, gate, read_events = agui_narrations._fold, View.events, asyncio.Event(), threading.Event(), 0
    loop = asyncio.get_running_loop()

    def slow_fold(narration: Narration, events: Sequence[Event]) -> None:
        loop.call_soon_threadsafe(folding.set)
        assert gate.wait(60)
        fold(narration, events)

    async def count(view: View, *given: Any) -> list[Event]:
        nonlocal read_events
        found = await read(view, *given)
        read_events += len(found)
        return found

    monkeypatch.setattr(agui_narrations, "_fold", slow_fold)
    monkeypatch.setattr(agui_narrations, "READ_EVENTS", 100)
    monkeypatch.setattr(View, "events", count)
    store = open_store(url)
    store.append("run", LOG)
    async with store.read() as view:
        head = await view.head("run")
    narrations, expected = Narrations(store), Narration()
    clients = [asyncio.create_task(narrations.at("run", head.identity, head.latest_seq)) for _ in range(20)]
    await folding.wait()
    async with asyncio.timeout(30), store.read() as view:
        assert (await view.head("run")).latest_seq == len(LOG)
    gate.set()
    found = await asyncio.gather(*clients)
    assert read_events == len(LOG)
    async with store.read() as view:
        fold(expected, await read(view, "run", 0, 1000))
        earlier = Narration()
        fold(earlier, await read(view, "run", 0, 150))
    assert found == [expected] * 20
    assert await narrations.at("run", head.identity, 150) == earlier != expected
    store.close()
