"""An id that is used again does not join two histories."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx

from signalbox.store import NewEvent
from tests.support.people import person, session, wait_until_guarded
from tests.support.server import Server
from tests.support.sse import open_stream

OWNERS = (("ann", "ours"), ("bob", "theirs"))


def anew(server: Server, task_id: str, lines: int) -> None:
    """Delete a task and make another one with its id, which has more to tell."""
    server.store.delete_task(task_id)
    server.store.create_task(task_id)
    server.store.append(
        task_id, [NewEvent(event_type="log", payload={"message": f"SUCCESSOR {n}"}) for n in range(lines)]
    )


def test_a_stream_of_a_deleted_task_shows_nothing_of_the_task_that_has_its_id(server: Server) -> None:
    paths = ("/sse/tasks/{}/events", "/tasks/{}/stream?since=0", "/tasks/{}/timeline?part=frames&since=0")
    for number, path in enumerate(paths):
        used = f"used-{number}"
        server.emit(used, "old 1", "old 2")
        with open_stream(server.url + path.format(used)) as stream:
            said = [next(m for m in stream if m.data and m.event != "heartbeat")]
            anew(server, used, 40)
            for message in stream:
                said.append(message)
                if message.event == "reset":
                    break
        assert said[-1].event == "reset"
        assert not any("SUCCESSOR" in message.data for message in said)


def test_a_page_of_the_old_task_is_told_to_begin_anew(server: Server) -> None:
    server.emit("paged", "old 1", "old 2")
    page = server.get("/tasks/paged").text
    found = re.search(r'id="live" data-src="([^"]*)"', page)
    assert found
    anew(server, "paged", 40)
    with open_stream(f"{server.url}{found[1]}&since=2") as stream:
        assert next(m for m in stream if m.event not in ("heartbeat", "message", "")).event == "reset"


def test_audits_are_of_one_task_and_outlive_it_within_its_project(start_server: Callable[..., Server]) -> None:
    server = start_server()
    store = server.store
    ann, bob = (session(store, person(store, f"{name}@example.org", **{project: "owner"})) for name, project in OWNERS)
    wait_until_guarded(server)
    for project, headers in (("ours", ann), ("theirs", bob)):
        store.create_task("run", project_id=project)
        said = server.post("/api/tasks/run/cancel", {"reason": f"of {project}"}, headers=headers)
        assert said.status_code == 201
        store.append("run", NewEvent(event_type="runner_exit"))
        if project == "ours":
            assert httpx.delete(f"{server.url}/api/tasks/run", headers=headers).status_code == 204
            audits = server.get("/tasks/run/audits", headers=headers).text
            assert "of ours" in audits
            assert "task deleted" in audits
            assert server.get("/tasks/run/audits", headers=bob).status_code == 404
    theirs = server.get("/tasks/run/audits", headers=bob).text
    assert "of theirs" in theirs
    assert "of ours" not in theirs
    assert server.get("/tasks/run/audits", headers=ann).status_code == 403
    assert "of ours" in server.get("/audits", headers=ann).text
    assert "of theirs" not in server.get("/audits", headers=ann).text
