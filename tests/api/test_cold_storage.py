"""Test moving tasks to cold storage and back over HTTP."""

from __future__ import annotations

import httpx

from signalbox.store import NewEvent
from tests.support.server import Server


def call(server: Server, method: str, path: str) -> httpx.Response:
    return httpx.request(method, server.url + path, timeout=30)


def test_a_task_moves_and_comes_back_over_http(server: Server) -> None:
    server.emit("cold-api", "a line", NewEvent(event_type="status", payload={"status": "done"}))
    events = server.get("/api/tasks/cold-api/events").json()
    moved = call(server, "PUT", "/api/tasks/cold-api/cold")
    assert (moved.status_code, moved.json()["events"]) == (200, 2)
    assert server.get("/api/tasks/cold-api/events").json() == events
    again = call(server, "PUT", "/api/tasks/cold-api/cold")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "conflict")
    appended = server.post("/api/tasks/cold-api/events", json={"event_type": "log", "payload": {"message": "x"}})
    assert (appended.status_code, appended.json()["seq"]) == (201, 3)
    assert call(server, "PUT", "/api/tasks/cold-api/cold").status_code == 200
    assert call(server, "DELETE", "/api/tasks/cold-api/cold").status_code == 204
    assert call(server, "DELETE", "/api/tasks/cold-api/cold").status_code == 204
    assert call(server, "PUT", "/api/tasks/nothing/cold").status_code == 404


def test_a_task_that_runs_does_not_move(server: Server) -> None:
    server.emit("cold-running", NewEvent(event_type="runner_spawn", payload={"runner_pid": 1}))
    refused = call(server, "PUT", "/api/tasks/cold-running/cold")
    assert (refused.status_code, "only tasks that ended" in refused.json()["error"]["message"]) == (409, True)
