"""Archiving, restoring and deleting selected tasks, with forms and with the API; saved views."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from signalbox.store import NewEvent, TaskQuery
from signalbox.store.errors import StoreFull
from signalbox.store.state import Task
from signalbox.webapp.app import create_app
from signalbox.webapp.settings import Settings
from tests.support.people import person, session, wait_until_guarded
from tests.support.server import Server

ENDED = NewEvent(event_type="runner_exit", payload={"exit_code": 0})
RUNS = NewEvent(event_type="runner_spawn")


def listed(server: Server, query: str = "") -> list[str]:
    return [task["task_id"] for task in server.get(f"/api/tasks?{query}").json()["tasks"]]


def audited(server: Server, task_id: str) -> str:
    return server.get(f"/tasks/{task_id}/audits").text


def submit_selection(server: Server, action: str, *tasks: str) -> httpx.Response:
    return server.post("/selection", data={"do": action, "task": list(tasks), "filters": "kind=x"})


def confirm(server: Server, action: str, *tasks: str) -> httpx.Response:
    return server.post(f"/selection/{action}", data={"task": list(tasks), "filters": "kind=x&sort=active"})


def test_selected_tasks_are_listed_and_deleted_after_confirmation(start_server: Callable[..., Server]) -> None:
    server = start_server()
    for name in ("a", "b"):
        server.emit(name, "hello", NewEvent(event_type="runner_heartbeat"), ENDED)
    server.emit("runs", RUNS)
    confirmation = submit_selection(server, "delete", "a", "b", "runs", "gone")
    assert confirmation.status_code == 200
    assert "Delete 2 tasks?" in confirmation.text
    assert "4 events" in confirmation.text, "as many as the list says: heartbeats are not rows"
    assert "the run is running: cancel it first" in confirmation.text
    assert "gone" in confirmation.text
    assert listed(server) == ["runs", "b", "a"]

    done = confirm(server, "delete", "a", "b")
    assert (done.status_code, done.headers["Location"]) == (303, "/tasks?kind=x&sort=active")
    assert listed(server) == ["runs"]
    for name in ("a", "b"):
        assert server.get(f"/api/tasks/{name}").status_code == 404
        assert "permanently" in audited(server, name)

    refused = confirm(server, "delete", "runs")
    assert refused.status_code == 409
    assert "0 tasks deleted, 1 skipped" in refused.text
    assert listed(server) == ["runs"]


def test_archived_tasks_leave_the_list_and_can_be_restored(start_server: Callable[..., Server]) -> None:
    server = start_server()
    for name in ("a", "b"):
        server.emit(name, RUNS)
    archived = confirm(server, "archive", "a")
    assert archived.status_code == 303
    undo = server.get(archived.headers["Location"])
    assert "a</span> archived." in undo.text
    assert 'formaction="/selection/archive"' in server.get("/tasks").text
    assert (listed(server), listed(server, "archived=1")) == (["b"], ["a"])
    assert 'href="/tasks?archived=1"' in server.get("/tasks").text
    assert "Restore" in server.get("/tasks?archived=1").text
    assert server.get("/tasks/a").status_code == 200
    assert confirm(server, "restore", "a").status_code == 303
    assert (listed(server), listed(server, "archived=1")) == (["b", "a"], [])
    assert "archived." not in server.get(archived.headers["Location"]).text
    assert "archived" in audited(server, "a")
    assert "restored" in audited(server, "a")


def test_selected_runs_are_asked_to_stop_with_one_reason(start_server: Callable[..., Server]) -> None:
    server = start_server()
    for name in ("a", "b"):
        server.emit(name, RUNS)
    server.emit("over", RUNS, ENDED)
    confirmation = submit_selection(server, "cancel", "a", "b", "over")
    assert "2 tasks" in confirmation.text
    assert "the run has ended: it is done" in confirmation.text
    stopped = server.post("/selection/cancel", data={"task": ["a", "b"], "reason": "wrong branch"})
    assert stopped.status_code == 303
    for name in ("a", "b"):
        newest = server.get(f"/api/tasks/{name}/events/latest").json()[0]
        assert (newest["event_type"], newest["payload"]["reason"]) == ("cancel_requested", "wrong branch")
    too_long = server.post("/selection/cancel", data={"task": ["a"], "reason": "x" * 2001})
    assert (too_long.status_code, "reason must have at most 2000 characters" in too_long.text) == (400, True)


def test_a_run_without_a_known_command_cannot_be_retried_with_others(server: Server) -> None:
    server.emit("over", RUNS, ENDED)
    assert 'name="form"' in submit_selection(server, "retry", "over").text
    retried = server.post("/selection/retry", data={"task": ["over"], "form": "1"})
    assert retried.status_code == 409
    assert "there is no command to run again" in retried.text


def test_two_selected_runs_are_compared(server: Server) -> None:
    compared = submit_selection(server, "compare", "a", "b")
    assert (compared.status_code, compared.headers["Location"]) == (303, "/compare?a=a&b=b")
    refused = submit_selection(server, "compare", "a", "b", "c")
    assert (refused.status_code, "select 2 tasks to compare them, not 3" in refused.text) == (400, True)
    assert "select 2 to 9 tasks to watch them, not 1" in submit_selection(server, "watch", "a").text


def test_empty_and_invalid_selections_get_clear_messages(server: Server) -> None:
    assert "No tasks selected" in submit_selection(server, "delete").text
    assert (
        "do must be one of compare, watch, archive, restore, cancel, retry, delete"
        in submit_selection(server, "burn", "a").text
    )
    assert "at most 500 tasks" in submit_selection(server, "delete", *(f"t{n}" for n in range(501))).text
    assert confirm(server, "burn", "a").status_code == 404
    assert server.post("/selection/delete", data={"filters": "evil=1"}).status_code == 400
    assert confirm(server, "archive").status_code == 303


async def test_an_action_that_stops_halfway_says_how_many_tasks_it_reached(url: str) -> None:
    app = create_app(Settings(store=url))
    async with app.test_app():
        store, client = app.extensions["store"], app.test_client()
        form: dict[str, Any] = {
            "data": "task=a&task=b&task=c",
            "headers": {"Content-Type": "application/x-www-form-urlencoded"},
        }
        for task_id in ("a", "b", "c"):
            await store.aappend(task_id, ENDED)
        delete, deleted = store.adelete_task, []

        async def fill_disk(task_id: str, **given: Any) -> Task:
            if deleted:
                raise StoreFull("the disk is full")
            deleted.append(task_id)
            return await delete(task_id, **given)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, "adelete_task", fill_disk)
            response = await client.post("/selection/delete", **form)
        page = await response.get_data(as_text=True)
        assert (response.status_code, response.headers["Retry-After"]) == (503, "30")
        assert "1 of 3 tasks deleted; the others were not, because there is no space left on the disk" in page
        assert "Nothing was changed" not in page
        assert (await client.post("/selection/delete", **form)).status_code == 303
        async with store.read() as view:
            assert (await view.tasks(TaskQuery())).tasks == []


def test_the_api_archives_and_deletes(server: Server) -> None:
    server.emit("program", RUNS)
    archived = server.post("/api/tasks/program/archive").json()
    assert archived["archived_at"] is not None
    assert httpx.delete(f"{server.url}/api/tasks/program/archive").json()["archived_at"] is None
    refused = httpx.delete(f"{server.url}/api/tasks/program")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
    server.emit("program", ENDED)
    deleted = httpx.delete(f"{server.url}/api/tasks/program")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert httpx.delete(f"{server.url}/api/tasks/program").status_code == 404


def test_saved_views_are_shared_and_can_be_deleted(server: Server) -> None:
    saved = server.post("/views", data={"name": " Broken & old ", "filters": "status=failed&cursor=x~y"})
    assert (saved.status_code, saved.headers["Location"]) == (303, "/tasks?status=failed")
    page = server.get("/tasks?status=failed").text
    assert '<a href="/tasks?status=failed" aria-current="page">Broken &amp; old</a>' in page
    again = server.post("/views", data={"name": "broken & OLD", "filters": ""})
    assert again.status_code == 409
    assert "already" in again.text
    assert server.post("/views", data={"name": "", "filters": ""}).status_code == 400
    assert server.post("/views", data={"name": "x", "filters": "evil=1"}).status_code == 400
    assert server.post("/views/1/delete").status_code == 303
    assert "Broken" not in server.get("/tasks").text
    assert server.post("/views/1/delete").status_code == 404
    assert server.post(f"/views/{10**30}/delete").status_code == 404


def test_archiving_and_deleting_require_the_right_role(start_server: Callable[..., Server]) -> None:
    server = start_server()
    store = server.store
    people = {
        role: session(store, person(store, f"{role}@example.org", ours=role))
        for role in ("viewer", "operator", "owner")
    }
    stranger = session(store, person(store, "else@example.org", theirs="owner"))
    store.create_task("ours", project_id="ours")
    wait_until_guarded(server)

    def post(path: str, headers: dict[str, str]) -> httpx.Response:
        return server.post(path, data={"task": "ours", "do": "delete"}, headers=headers)

    assert "No longer there" in post("/selection", stranger).text
    assert "you do not have the right to do this" in post("/selection", people["operator"]).text
    assert "Delete 1 task?" in post("/selection", people["owner"]).text
    assert post("/selection/delete", people["operator"]).status_code == 409
    assert post("/selection/archive", people["viewer"]).status_code == 409
    assert post("/selection/archive", people["operator"]).status_code == 303
    post("/selection/delete", stranger)
    assert server.get("/api/tasks/ours", headers=people["viewer"]).json()["archived_at"] is not None
    assert post("/selection/delete", people["owner"]).status_code == 303
    assert server.get("/api/tasks/ours", headers=people["viewer"]).status_code == 404
    assert server.post("/views", data={"name": "x"}, headers=people["viewer"]).status_code == 403
