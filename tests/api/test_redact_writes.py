"""The setting `redact_writes`: secrets that arrive over HTTP are hidden before they are stored."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from signalbox.store.redaction.writes import WriteRedaction
from signalbox.webapp.app import create_app
from signalbox.webapp.settings import Settings


@pytest.mark.parametrize("on", [True, False])
async def test_secrets_in_tasks_and_events_are_hidden_before_they_are_stored(url: str, on: bool) -> None:
    async with create_app(Settings(store=url, redact_writes=on)).test_app() as app:
        client = app.test_client()
        headers = {"Host": "localhost"}
        task = {"task_id": "t", "title": "login --password=hunter2", "metadata": {"api_key": "hunter2"}}
        assert (await client.post("/api/tasks", json=task, headers=headers)).status_code == 201
        event = {"event_type": "log", "payload": {"message": "token=hunter2"}}
        assert (await client.post("/api/tasks/t/events", json=event, headers=headers)).status_code == 201
        listed = (await client.post("/api/tasks/t/events", json=[event, event], headers=headers)).status_code
        line = [{"message": "password: hunter2"}]
        unfinished = await client.put("/api/tasks/t/unfinished", json=line, headers=headers)
        assert (listed, unfinished.status_code) == (201, 204)
        state = await (await client.get("/api/tasks/t", headers=headers)).get_data()
        log = await (await client.get("/api/tasks/t/events", headers=headers)).get_json()
    texts = [str(state), *(str(event["payload"]) for event in log["events"])]
    assert [text.count("hunter2") for text in texts] == ([0] * 4 if on else [3, 1, 1, 1])


def recorded(call: str, calls: list[tuple[str, bool]], method: Any) -> Any:
    """Return the method as one that also records whether it runs in the thread of the event loop."""

    def recording(*arguments: Any) -> Any:
        calls.append((call, threading.current_thread() is threading.main_thread()))
        return method(*arguments)

    return recording


async def test_secrets_are_searched_in_a_thread_so_that_nobody_waits(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, bool]] = []
    for name in ("events", "value"):
        monkeypatch.setattr(WriteRedaction, name, recorded(name, calls, getattr(WriteRedaction, name)))
    async with create_app(Settings(store=url, redact_writes=True)).test_app() as app:
        client = app.test_client()
        headers = {"Host": "localhost"}
        for path, body in (
            ("/api/tasks", {"task_id": "t", "metadata": {"vector": [0.5] * 9}}),
            ("/api/tasks/t/events", {"event_type": "log", "payload": {"vector": [0.5] * 9}}),
            ("/api/hooks/codex", {"hook_event_name": "Stop", "session_id": "s", "vector": [0.5] * 9}),
        ):
            assert (await client.post(path, json=body, headers=headers)).status_code < 300
    assert {name for name, _ in calls} == {"events", "value"}
    assert [name for name, in_loop in calls if in_loop and name == "events"] == []
    assert next(in_loop for name, in_loop in calls if name == "value") is False
