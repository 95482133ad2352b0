"""A task created with the id of a deleted task does not continue its history."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest

from signalbox.store import NewEvent, UnknownTask
from signalbox.store.sqlite import SqliteStore
from signalbox.webapp.export.paging import event_pages
from tests.support.people import person, session, wait_until_guarded
from tests.support.server import Server
from tests.support.sse import open_stream

OWNERS = (("ann", "ours"), ("bob", "theirs"))


def recreate(server: Server, task_id: str, lines: int) -> None:
    """Delete a task and create another with the same id and `lines` log lines."""
    server.store.delete_task(task_id)
    server.store.create_task(task_id)
    server.store.append(
        task_id, [NewEvent(event_type="log", payload={"message": f"SUCCESSOR {n}"}) for n in range(lines)]
    )


def test_a_stream_of_a_deleted_task_shows_nothing_of_its_successor(server: Server) -> None:
    paths = ("/sse/tasks/{}/events", "/tasks/{}/stream?since=0", "/tasks/{}/timeline?part=frames&since=0")
    for number, path in enumerate(paths):
        task_id = f"used-{number}"
        server.emit(task_id, "old 1", "old 2")
        with open_stream(server.url + path.format(task_id)) as stream:
            received = [next(m for m in stream if m.data and m.event != "heartbeat")]
            recreate(server, task_id, 40)
            for message in stream:
                received.append(message)
                if message.event == "reset":
                    break
        assert received[-1].event == "reset"
        assert not any("SUCCESSOR" in message.data for message in received)


def test_a_page_of_a_deleted_task_is_reset(server: Server) -> None:
    server.emit("paged", "old 1", "old 2")
    page = server.get("/tasks/paged").text
    live_attributes = re.search(r'id="live" data-src="([^"]*)"', page)
    assert live_attributes
    recreate(server, "paged", 40)
    with open_stream(f"{server.url}{live_attributes[1]}&since=2") as stream:
        assert next(m for m in stream if m.event not in ("heartbeat", "message", "")).event == "reset"


def test_audits_belong_to_one_task_and_outlive_it_within_its_project(start_server: Callable[..., Server]) -> None:
    server = start_server()
    store = server.store
    ann, bob = (session(store, person(store, f"{name}@example.org", **{project: "owner"})) for name, project in OWNERS)
    wait_until_guarded(server)
    for project, headers in (("ours", ann), ("theirs", bob)):
        store.create_task("run", title=f"title of {project}", project_id=project)
        tool = {"request_id": "r1", "tool_name": f"tool of {project}"}
        store.append("run", NewEvent(event_type="permission_request", payload=tool))
        answer = server.post("/api/tasks/run/permissions/r1", {"approved": True}, headers=headers)
        response = server.post("/api/tasks/run/cancel", {"reason": f"of {project}"}, headers=headers)
        assert answer.status_code == 201
        assert response.status_code == 201
        store.append("run", NewEvent(event_type="runner_exit"))
        if project == "ours":
            assert httpx.delete(f"{server.url}/api/tasks/run", headers=headers).status_code == 204
            audits = server.get("/tasks/run/audits", headers=headers).text
            assert "of ours" in audits
            assert "deleted " in audits
            assert server.get("/tasks/run/audits", headers=bob).status_code == 404
    page_of_bob = server.get("/tasks/run/audits", headers=bob).text
    assert "of theirs" in page_of_bob
    assert "of ours" not in page_of_bob
    assert server.get("/tasks/run/audits", headers=ann).status_code == 403
    assert "of ours" in server.get("/audits", headers=ann).text
    assert "of theirs" not in server.get("/audits", headers=ann).text


def test_a_feed_is_reset_when_a_task_id_is_reused(server: Server) -> None:
    server.emit("fed", "old 1")
    server.emit("fed-too", "other 1")
    with open_stream(f"{server.url}/sse/events?task=fed&task=fed-too") as stream:
        received = [next(m for m in stream if '"other 1"' in m.data)]
        recreate(server, "fed", 5)
        for message in stream:
            received.append(message)
            if message.event == "reset":
                break
    assert received[-1].event == "reset"
    assert not any("SUCCESSOR" in message.data for message in received)


def test_a_feed_continues_without_a_deleted_task(server: Server) -> None:
    server.emit("short", "old 1")
    server.emit("long", "other 1")
    with open_stream(f"{server.url}/sse/events?task=long&task=short") as stream:
        next(m for m in stream if '"other 1"' in m.data)
        server.store.delete_task("short")
        server.emit("long", "other 2")
        assert '"other 2"' in next(m for m in stream if m.id and m.data and not m.event).data


def test_a_comparison_is_reset_when_a_task_id_is_reused(server: Server) -> None:
    for name in ("left", "right"):
        server.emit(name, NewEvent(event_type="phase_enter", phase="planning"))
    page = server.get("/compare?a=left&b=right").text
    live_attributes = re.search(r'id="live" data-src="([^"]*)" data-seq="(\d+)"', page)
    assert live_attributes
    source = f"{server.url}{live_attributes[1].replace('&amp;', '&')}&since={live_attributes[2]}"
    with open_stream(source) as stream:
        next(iter(stream))
        recreate(server, "right", 5)
        received = [message for message in stream if message.event or message.data]
    assert received[-1].event == "reset"
    assert not any('"compare' in message.data for message in received)
    with open_stream(source) as stream:
        assert next(m for m in stream if m.event not in ("heartbeat", "message", "")).event == "reset"


async def test_an_export_ends_when_its_task_id_is_reused(store: SqliteStore) -> None:
    await store.aappend("exported", [NewEvent(event_type="log", payload={"message": "old"})] * 50)
    async with store.read() as view:
        pages = event_pages(store, await view.task("exported"))
    assert len(await anext(pages)) == 20
    await store.adelete_task("exported", actor=None)
    await store.aappend("exported", [NewEvent(event_type="log", payload={"message": "SUCCESSOR"})] * 50)
    with pytest.raises(UnknownTask):
        await anext(pages)
