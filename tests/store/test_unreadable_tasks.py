"""A server with tasks whose rows are in damaged pages serves all other tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from signalbox.store.sqlite.doctor import examine
from tests.support.damaged_database import create_database_with_damaged_counter, create_database_with_damaged_list
from tests.support.people import token, wait_until_guarded
from tests.support.server import Server
from tests.support.sse import open_stream
from tests.support.waiting import wait_until


def first_tasks(url: str, count: int, **options: Any) -> list[str]:
    """Return the task of each of the first events of a feed."""
    with open_stream(url, **options) as stream:
        return [next(message for message in stream if message.id).json["task_id"] for _ in range(count)]


def test_unreadable_tasks_do_not_affect_other_tasks(start_server: Callable[..., Server]) -> None:
    server = start_server(heartbeat_timeout=1)
    server.replace_database()
    create_database_with_damaged_list(server.path)
    server.start()

    def event_types(task_id: str) -> set[str]:
        response = server.get(f"/api/tasks/{task_id}/events")
        assert response.status_code == 200, response.text
        return {event["event_type"] for event in response.json()["events"] if event["actor"] == "supervisor"}

    sound = [f"sound-{n}" for n in range(1, 5)]
    wait_until(lambda: all({"permission_cleared", "status"} <= event_types(name) for name in sound))
    problems = server.get("/api/events/health").json()["problems"]
    assert [problem["code"] for problem in problems] == ["store_damaged"], "no background loop may fail"
    assert "torn-1" in server.log
    listed = server.get("/api/tasks").json()
    assert {task["task_id"] for task in listed["tasks"]} == {*sound, "torn-1", "torn-2", "torn-3"}
    assert server.get("/tasks").text.count("cannot be read</span>") == 3
    assert {task["task_id"] for task in server.get("/api/tasks?q=o").json()["tasks"]} == set(sound)
    for path in ("/tasks", "/tasks?sort=longest", "/tasks?q=sound", "/tasks?status=interrupted", "/permissions", "/"):
        page = server.get(path)
        assert page.status_code == 200, path
    assert "sound-4" in server.get("/tasks?limit=2").text
    assert server.get("/metrics").status_code == 200
    assert server.get("/tasks/sound-1").status_code == 200
    assert server.get("/tasks/torn-2").status_code == 500
    with (
        open_stream(f"{server.url}/sse/tasks/sound-1/events") as stream,
        open_stream(f"{server.url}/sse/events") as feed,
    ):
        server.emit("sound-1", "on")
        assert next(message for message in stream if '"on"' in message.data)
        server.emit("sound-2", "and on")
        assert next(message for message in feed if '"and on"' in message.data)


def test_a_feed_serves_the_tasks_that_are_named_with_a_damaged_one(start_server: Callable[..., Server]) -> None:
    server = start_server()
    server.replace_database()
    create_database_with_damaged_list(server.path)
    server.start()
    feed = f"{server.url}/sse/events?task=torn-1&task=sound-1"
    assert set(first_tasks(feed, 8)) == {"sound-1", "torn-1"}, "the log of the damaged task can be read"
    assert server.get("/sse/events?task=sound-1&task=nothing").status_code == 404
    reader = token(server.store, "reader", scopes=("read",), project_id="default")
    wait_until_guarded(server)
    assert set(first_tasks(feed, 4, headers=reader)) == {"sound-1"}, "the project of the damaged task is unknown"
    alone = server.get("/sse/events?task=torn-1", headers=reader)
    assert (alone.status_code, alone.json()["error"]["code"]) == (500, "store_damaged")


def test_a_feed_leaves_out_a_task_whose_counter_is_damaged(start_server: Callable[..., Server]) -> None:
    server = start_server()
    server.replace_database()
    create_database_with_damaged_counter(server.path)
    server.start()
    assert first_tasks(f"{server.url}/sse/events?task=torn&task=a-sound", 1) == ["a-sound"]
    alone = server.get("/sse/events?task=torn")
    assert (alone.status_code, alone.json()["error"]["code"]) == (500, "store_damaged")


def test_a_task_whose_deletion_needs_a_damaged_page_is_left_as_it_is(start_server: Callable[..., Server]) -> None:
    server = start_server()
    server.replace_database()
    create_database_with_damaged_list(server.path)
    findings = [finding.code for finding in examine(server.path)]
    server.start()
    assert server.post("/api/tasks/sound-2/events", {"event_type": "runner_exit"}).status_code == 201
    before = server.get("/api/tasks/sound-2").json()
    refused = httpx.delete(f"{server.url}/api/tasks/sound-2")
    assert (refused.status_code, refused.json()["error"]["code"]) == (500, "store_damaged")
    assert "signalbox doctor" in refused.json()["error"]["message"]
    chosen = server.post("/selection/delete", data={"task": ["sound-2"]})
    assert (chosen.status_code, "signalbox doctor" in chosen.text) == (409, True), chosen.text
    assert server.get("/api/tasks/sound-2").json() == before
    assert len(server.get("/api/tasks/sound-2/events").json()["events"]) == before["latest_seq"]
    assert server.post("/api/tasks/sound-2/events", {"event_type": "log"}).status_code == 201
    assert server.post("/api/tasks/sound-1/events", {"event_type": "log"}).status_code == 201
    assert server.post("/api/tasks/sound-2/archive").status_code == 200
    server.stop()
    assert [finding.code for finding in examine(server.path)] == findings
