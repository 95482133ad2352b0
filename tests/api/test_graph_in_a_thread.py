"""The graph of a run with thousands of spans is built in a thread, so that no other request waits for it."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from signalbox.store import NewEvent
from signalbox.webapp.api import parts
from signalbox.webapp.app import create_app
from signalbox.webapp.settings import Settings


async def test_a_graph_is_not_built_in_the_event_loop(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    build, threads = parts._with_event, set[threading.Thread]()

    def note(*given: Any) -> parts.GraphSpan:
        threads.add(threading.current_thread())
        return build(*given)

    monkeypatch.setattr(parts, "_with_event", note)
    app = create_app(Settings(store=url))
    async with app.test_app():
        await app.extensions["store"].aappend("run", NewEvent(event_type="work_item_start", span_id="w1"))
        graph = await (await app.test_client().get("/api/tasks/run/graph")).get_json()
    assert [span["span_id"] for span in graph["spans"]] == ["w1"]
    assert len(threads) == 1
    assert threading.current_thread() not in threads
