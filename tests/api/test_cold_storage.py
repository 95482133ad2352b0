"""Test moving tasks to cold storage and back over HTTP."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from signalbox.store import NewEvent, open_store
from signalbox.store.cold.reading import ColdFileReaders
from signalbox.webapp.app import create_app
from signalbox.webapp.settings import Settings
from tests.support.server import Server


def call(server: Server, method: str, path: str) -> httpx.Response:
    return httpx.request(method, server.url + path, timeout=60)


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


async def test_a_request_reads_again_after_another_process_brought_the_task_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await store_with_cold_task(tmp_path)
    view = ColdFileReaders.view

    async def begun(self: ColdFileReaders, *arguments: Any) -> Any:
        monkeypatch.undo()
        await in_another_process(url, "arestore")
        return await view(self, *arguments)

    async with create_app(Settings(store=url)).test_app() as running:
        client, headers = running.test_client(), {"Host": "localhost"}
        monkeypatch.setattr(ColdFileReaders, "view", begun)
        answer = await client.get("/api/tasks/t/events", headers=headers)
        assert answer.status_code == 200, await answer.get_data()
        assert [event["seq"] for event in (await answer.get_json())["events"]] == [1]
        await in_another_process(url, "amove")
        (file,) = (tmp_path / "signalbox.db.cold").glob("*.cold")
        file.unlink()
        answer = await client.get("/api/tasks/t/events", headers=headers)
        assert (answer.status_code, (await answer.get_json())["error"]["code"]) == (503, "cold_file_damaged")


async def store_with_cold_task(folder: Path) -> str:
    """Create a store whose task `t` is in cold storage, and return its URL."""
    url = f"sqlite:///{folder / 'signalbox.db'}"
    with closing(open_store(url)) as store:
        store.append("t", [NewEvent(event_type="status", payload={"status": "done"})])
    await in_another_process(url, "amove")
    return url


async def in_another_process(url: str, call: str) -> None:
    async def act() -> None:
        store = open_store(url)
        await getattr(store.cold, call)("t")
        await store.aclose()

    await asyncio.to_thread(asyncio.run, act())


def test_an_unusable_place_of_cold_files_is_not_called_a_database_that_does_not_answer(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = start_server(search_index=False, cold_storage=tmp_path / "files")
    for task_id in ("cold", "warm"):
        server.emit(task_id, NewEvent(event_type="status", payload={"status": "done"}))
    assert call(server, "PUT", "/api/tasks/cold/cold").status_code == 200
    folder = tmp_path / "files"
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(folder)
    for method, path in (("GET", "/api/tasks/cold/events"), ("PUT", "/api/tasks/warm/cold")):
        refused = call(server, method, path)
        assert refused.status_code == 503, path
        message = refused.json()["error"]["message"]
        assert message == "this needs a file of cold storage, whose directory or bucket cannot be used now", path
    assert server.get("/api/tasks/warm/events").status_code == 200
    folder.unlink()
    (tmp_path / "elsewhere").rename(folder)
    assert server.get("/api/tasks/cold/events").status_code == 200


async def test_a_server_without_room_for_temporary_files_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await store_with_cold_task(tmp_path)
    async with create_app(Settings(store=url, search_index=False)).test_app() as running:
        client, headers = running.test_client(), {"Host": "localhost", "Accept": "application/json"}
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
        answer = await client.get("/tasks/t/spans.csv", headers=headers)
        message = (await answer.get_json())["error"]["message"]
        assert (answer.status_code, message) == (
            503,
            "the task is in cold storage, and this server has no room to read its file now",
        )
        monkeypatch.undo()
        assert (await client.get("/tasks/t/spans.csv", headers=headers)).status_code == 200
