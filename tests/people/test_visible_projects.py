"""Test that every list and live list shows only the projects that the caller may read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from signalbox.store import NewEvent
from tests.support.people import Headers, person, project, session, token, wait_until_guarded
from tests.support.server import Server
from tests.support.sse import Message, open_stream


@dataclass
class TwoProjects:
    """Two projects, each with a task that asks for a permission. Ann may read one of them, Bob may respond in it."""

    server: Server
    ann: Headers
    bob: Headers
    reader_of_both: Headers


def ask(server: Server, task_id: str, request_id: str) -> int:
    payload = {"request_id": request_id, "tool_name": f"tool-of-{task_id}"}
    return server.emit(task_id, NewEvent(event_type="permission_request", payload=payload))[0].event_id


@pytest.fixture(scope="module")
def two_projects(shared_server: Server) -> TwoProjects:
    for name in ("ours", "theirs"):
        project(shared_server.store, name)
        shared_server.store.create_task(f"run-{name}", kind=f"kind-{name}", project_id=name)
        ask(shared_server, f"run-{name}", "r1")
    store = shared_server.store
    projects = TwoProjects(
        shared_server,
        session(store, person(store, "ann@example.org", ours="viewer")),
        session(store, person(store, "bob@example.org", ours="operator")),
        token(store, "both", scopes=("read",)),
    )
    wait_until_guarded(shared_server)
    return projects


@pytest.mark.parametrize("path", ["/tasks", "/permissions", "/audits", "/compare", "/demo", "/api/tasks"])
def test_lists_show_only_the_callers_projects(two_projects: TwoProjects, path: str) -> None:
    two_projects.server.post("/api/tasks/run-theirs/events", {"event_type": "log"}, headers=two_projects.reader_of_both)
    page = two_projects.server.get(path, headers=two_projects.ann)
    assert page.status_code == 200
    assert "theirs" not in page.text
    if path not in ("/audits", "/compare"):
        assert "run-ours" in page.text


def test_counts_cover_only_the_callers_projects(two_projects: TwoProjects) -> None:
    page = two_projects.server.get("/tasks", headers=two_projects.ann)
    assert "<title>(1) Tasks" in page.text
    assert "<title>(2) Tasks" in two_projects.server.get("/tasks", headers=two_projects.reader_of_both).text


def test_a_person_without_a_project_sees_an_empty_list(two_projects: TwoProjects) -> None:
    nobody = session(two_projects.server.store, person(two_projects.server.store, "new@example.org"))
    assert two_projects.server.get("/api/tasks", headers=nobody).json()["tasks"] == []
    assert "run-" not in two_projects.server.get("/tasks", headers=nobody).text


def test_a_task_without_read_access_cannot_be_compared_or_followed(two_projects: TwoProjects) -> None:
    for path in (
        "/compare?a=run-ours&b=run-theirs",
        "/compare?a=run-theirs",
        "/watch?task=run-ours&task=run-theirs",
        "/sse/events?task=run-theirs",
    ):
        assert two_projects.server.get(path, headers=two_projects.ann).status_code == 403


def test_the_feed_of_all_tasks_holds_only_the_callers_tasks(two_projects: TwoProjects) -> None:
    with open_stream(f"{two_projects.server.url}/sse/events", headers=two_projects.ann) as stream:
        two_projects.server.emit("run-theirs", "a secret")
        last = two_projects.server.emit("run-ours", "the last")[0]
        seen = []
        for message in stream:
            if message.id:
                seen.append(message.json)
            if seen and seen[-1]["event_id"] == last.event_id:
                break
    assert {event["task_id"] for event in seen} == {"run-ours"}


def data_up_to(event_id: int, stream: Iterator[Message]) -> str:
    received = ""
    for message in stream:
        received += message.data
        if message.id and int(message.id) >= event_id:
            break
    return received


@pytest.mark.parametrize("path", ["/live/tasks", "/live/permissions"])
def test_a_live_list_never_carries_a_row_of_another_project(two_projects: TwoProjects, path: str) -> None:
    server = two_projects.server
    with (
        open_stream(f"{server.url}{path}?since=0", headers=two_projects.ann) as of_ann,
        open_stream(f"{server.url}{path}?since=0", headers=two_projects.reader_of_both) as of_both,
    ):
        ask(server, "run-theirs", f"new-{path}")
        last = ask(server, "run-ours", f"new-{path}")
        received, received_of_both = data_up_to(last, of_ann), data_up_to(last, of_both)
    assert "run-theirs" in received_of_both
    assert "run-ours" in received
    assert "theirs" not in received


def test_the_live_count_in_the_navigation_covers_only_the_callers_projects(two_projects: TwoProjects) -> None:
    server = two_projects.server
    with open_stream(f"{server.url}/tasks/run-ours/stream", headers=two_projects.ann) as stream:
        before = next(m.json["permissions_open"] for m in stream if m.event == "heartbeat" and "permissions" in m.data)
        ask(server, "run-theirs", "counted-not")
        ask(server, "run-ours", "counted")
        counts = []
        for message in stream:
            if message.event == "heartbeat":
                counts.append(message.json["permissions_open"])
            if counts and counts[-1] == before + 1:
                break
    assert set(counts) <= {before, before + 1}


def test_buttons_appear_only_for_callers_with_the_right_to_use_them(two_projects: TwoProjects) -> None:
    server = two_projects.server
    for path in ("/tasks/run-ours", "/permissions", "/tasks/run-ours/permissions/r1"):
        assert 'value="approve"' in server.get(path, headers=two_projects.bob).text
        theirs = server.get(path, headers=two_projects.ann).text
        assert 'value="approve"' not in theirs
        assert "Only an operator of this project can answer" in theirs
    for words in ("Archive</button>", "Save this view", 'name="task" value="run-ours'):
        assert words in server.get("/tasks", headers=two_projects.bob).text
        assert words not in server.get("/tasks", headers=two_projects.ann).text
    assert "Cancel run" in server.get("/tasks/run-ours", headers=two_projects.bob).text
    assert "Cancel run" not in server.get("/tasks/run-ours", headers=two_projects.ann).text


def test_live_pages_with_different_rights_share_no_cached_bytes(two_projects: TwoProjects) -> None:
    server = two_projects.server
    with (
        open_stream(f"{server.url}/tasks/run-ours/stream?since=0", headers=two_projects.ann) as watching,
        open_stream(f"{server.url}/tasks/run-ours/stream?since=0", headers=two_projects.bob) as answering,
    ):
        ask(server, "run-ours", "shared-not")
        assert 'value="approve"' not in next(m.data for m in watching if "shared-not" in m.data)
        assert 'value="approve"' in next(m.data for m in answering if "shared-not" in m.data)


def test_an_answer_is_recorded_under_the_callers_name(two_projects: TwoProjects) -> None:
    server = two_projects.server
    ask(server, "run-ours", "named")
    body = {"event_type": "permission_response", "payload": {"request_id": "named", "approved": True, "by": "the boss"}}
    assert server.post("/api/tasks/run-ours/events", body, headers=two_projects.bob).status_code == 201
    waiting = server.get("/api/tasks/run-ours/permissions", headers=two_projects.bob).json()
    assert "named" in [request["request_id"] for request in waiting]
    answer = {"approved": True}
    refused = server.post("/api/tasks/run-ours/permissions/named", answer, headers=two_projects.ann)
    assert refused.status_code == 403
    stored = server.post("/api/tasks/run-ours/permissions/named", answer, headers=two_projects.bob).json()
    assert (stored["payload"]["by"], stored["actor"]) == ("bob@example.org", "user")
    assert "bob@example.org" in server.get("/tasks/run-ours/audits", headers=two_projects.ann).text


def test_a_new_task_belongs_to_the_project_of_its_creator(two_projects: TwoProjects) -> None:
    server = two_projects.server
    home = token(server.store, "home", project_id="ours")
    for task_id in ("made", "appended"):
        body = {"task_id": task_id} if task_id == "made" else {"event_type": "log"}
        path = "/api/tasks" if task_id == "made" else f"/api/tasks/{task_id}/events"
        assert server.post(path, body, headers=home).status_code == 201
        assert server.get(f"/api/tasks/{task_id}", headers=two_projects.ann).json()["project_id"] == "ours"
    emitter = token(server.store, "emitter", scopes=("emit",))
    assert server.post("/api/tasks/emitted/events", {"event_type": "log"}, headers=emitter).status_code == 201
    assert server.post("/api/tasks/emitted/events", {"event_type": "log"}, headers=emitter).status_code == 201
    other_project = server.post("/api/tasks", {"project_id": "theirs"}, headers=home)
    assert other_project.status_code == 403
    assert "'theirs'" in other_project.json()["error"]["message"]
    assert server.post("/api/tasks", {"task_id": "run-theirs"}, headers=home).status_code == 403
    assert server.post("/api/tasks/fresh/events", {"event_type": "log"}, headers=two_projects.bob).status_code == 403


def test_a_refused_first_event_leaves_no_empty_task(two_projects: TwoProjects) -> None:
    server = two_projects.server
    home = token(server.store, "careful", project_id="ours")
    for number, event in enumerate(({"event_type": "log", "key": "retry-1"}, {"event_type": "log", "phase": "a\nb"})):
        path = f"/api/tasks/never-{number}"
        assert server.post(f"{path}/events", [{"event_type": "log"}, event], headers=home).status_code == 400
        assert server.get(path, headers=two_projects.reader_of_both).status_code == 404
