"""A request that means one task is refused once another task has its id."""

from __future__ import annotations

import json
import re
from html import unescape
from urllib.parse import urljoin

import httpx
import pytest

from signalbox.store import NewEvent
from tests.support.server import Server
from tests.support.sse import open_stream

ENDED = NewEvent(event_type="runner_exit", payload={"exit_code": 0})
LONG = NewEvent(event_type="log", payload={"message": "x" * 100_000})
CHECKPOINT = NewEvent(event_type="checkpoint_commit", payload={"checkpoint_id": "c1"})
QUESTION = NewEvent(event_type="permission_request", payload={"request_id": "r1", "tool_name": "rm"})
RUN = (NewEvent(event_type="runner_spawn"), CHECKPOINT, LONG, *[f"line {n}" for n in range(300)], QUESTION)
LOADED = re.compile(r'(?:hx-get|data-src|data-events|data-frame)="([^"]*)"')
"""Addresses from which a script loads something into the page."""


@pytest.fixture(params=["same events", "fewer events"])
def later_events(request: pytest.FixtureRequest) -> tuple[NewEvent | str, ...]:
    """The events of the later task."""
    return RUN if request.param == "same events" else RUN[:1]


def identity_of(server: Server, task_id: str) -> str:
    return str(server.get(f"/api/tasks/{task_id}").json()["identity"])


def replace(server: Server, task_id: str, *events: NewEvent | str) -> None:
    server.store.delete_task(task_id)
    server.emit(task_id, *events)


def hrefs(page: str) -> set[str]:
    return {unescape(found) for found in re.findall(r'href="([^"]*)"', page)}


def test_an_old_page_loads_nothing_of_the_later_task(server: Server, later_events: tuple[NewEvent | str, ...]) -> None:
    server.emit("loads", *RUN)
    pages = {path: server.get(path).text for path in ("/tasks/loads", "/tasks/loads/log?around=3")}
    found = {unescape(address) for page in pages.values() for address in LOADED.findall(page)}
    drawers = {unescape(one) for one in re.findall(r'data-drawer="[^"]*" href="([^"]*)"', pages["/tasks/loads"])}
    assert len(found) > 5
    assert len(drawers) == 1
    replace(server, "loads", *later_events)
    for address in found | drawers:
        url = urljoin(f"{server.url}/tasks/loads/log", address)
        if "epoch=" in address and "/frame" not in address:
            with open_stream(f"{url}&since=1") as stream:
                assert next(m for m in stream if m.event not in ("heartbeat", "message", "")).event == "reset", address
            continue
        response = httpx.get(f"{url}&since=1" if "/frame" in address else url)
        assert response.status_code == (400 if "/frame" in address else 410), address


@pytest.mark.parametrize("page", ["?at=5", "/checkpoints/c1?at=5", "/waterfall?at=5", "/spans?at=5", "/log?around=5"])
def test_links_to_an_event_do_not_lead_to_the_later_task(
    server: Server, page: str, later_events: tuple[NewEvent | str, ...]
) -> None:
    server.emit("travels", *RUN)
    shown = server.get(f"/tasks/travels{page}").text
    dated = {one for one in hrefs(shown) if re.search(r"[?&](at|around|before|after)=[1-9]", one)}
    assert dated
    replace(server, "travels", *later_events)
    for address in dated:
        response = server.get(address, headers={"Accept": "text/html"})
        assert response.status_code == 410, address
        assert "This task was replaced" in response.text
        assert 'href="/tasks/travels"' in response.text
    assert server.get("/tasks/travels?at=1").status_code == 200


def test_the_slider_of_time_travel_stays_within_its_task(server: Server) -> None:
    server.emit("slides", *RUN)
    page = server.get("/tasks/slides?at=5").text
    form = page[page.index('<form class="past-scrubber"') :]
    fields = re.findall(r'<input[^>]* name="(\w+)"[^>]* value="([^"]*)"', form[: form.index("</form>")])
    assert server.get("/tasks/slides", params=dict(fields)).status_code == 200
    replace(server, "slides", *RUN)
    assert server.get("/tasks/slides", params=dict(fields)).status_code == 410


def test_an_event_link_keeps_the_identity_in_its_redirect(server: Server) -> None:
    server.emit("redirects", *RUN)
    which = identity_of(server, "redirects")
    for path in ("events/9?", "log?failure_after=0&", "log?at=2020-01-01&"):
        response = server.get(f"/tasks/redirects/{path}identity={which}")
        assert response.status_code == 302
        assert f"identity={which}" in response.headers["location"]
    replace(server, "redirects", *RUN)
    assert server.get(f"/tasks/redirects/events/9?identity={which}").status_code == 410


def selection_values(server: Server, *tasks: str) -> list[str]:
    page = server.get("/tasks").text
    return [value for value in re.findall(r'name="task" value="([^"]*)"', page) if value.partition("@")[0] in tasks]


@pytest.mark.parametrize("action", ["delete", "archive"])
def test_a_bulk_action_leaves_a_replaced_task_alone(server: Server, action: str) -> None:
    names = f"{action}-old", f"{action}-kept"
    for name in names:
        server.emit(name, ENDED)
    values = selection_values(server, *names)
    assert len(values) == 2
    before = server.post("/selection", data={"do": action, "task": values}).text
    confirmed = re.findall(r'name="task" value="([^"]*)"', before)
    replace(server, names[0], ENDED)

    asked = server.post("/selection", data={"do": action, "task": values})
    assert "Replaced by another task" in asked.text
    assert selectable_tasks(asked.text) == [names[1]]

    done = server.post(f"/selection/{action}", data={"task": confirmed})
    assert done.status_code == 409
    assert "1 task" in done.text
    assert ", 1 skipped" in done.text
    assert f'<span class="data">{names[0]}</span>' in done.text
    left = server.get(f"/api/tasks/{names[0]}").json()
    assert left["archived_at"] is None
    assert server.get(f"/api/tasks/{names[1]}").status_code == (404 if action == "delete" else 200)


def selectable_tasks(page: str) -> list[str]:
    return [value.partition("@")[0] for value in re.findall(r'name="task" value="([^"]*)"', page)]


def test_a_feed_names_the_task_that_it_means(server: Server) -> None:
    for name in ("feed-a", "feed-b"):
        server.emit(name, "one")
    which = identity_of(server, "feed-a")
    path = f"/sse/events?task=feed-a@{which}&task=feed-b"
    with open_stream(f"{server.url}{path}") as stream:
        assert next(m for m in stream if m.data and not m.event).id
    replace(server, "feed-a", "two")
    response = server.get(path)
    assert (response.status_code, response.json()["error"]["code"]) == (410, "task_replaced")
    assert server.get("/sse/events?task=feed-a@").json()["error"]["field"] == "task"


def test_a_comparison_names_the_tasks_that_it_means(server: Server) -> None:
    for name in ("left-a", "right-b"):
        server.emit(name, "one", ENDED)
    links = hrefs(server.get("/compare?a=right-b&b=left-a").text)
    (address,) = (link for link in links if "a=left-a@" in link and "&b=right-b@" in link)
    assert server.get(address).status_code == 200
    replace(server, "right-b", "two", ENDED)
    assert server.get(address, headers={"Accept": "text/html"}).status_code == 410


def test_a_session_client_names_the_task_that_it_means(server: Server) -> None:
    server.emit("talks", QUESTION)
    which = server.get("/api/sse/health/talks").json()["identity"]
    assert which == identity_of(server, "talks")
    replace(server, "talks", QUESTION)
    for path in ("events", "health"):
        response = server.get(f"/api/sse/{path}/talks?identity={which}")
        assert (response.status_code, response.json()["error"]["code"]) == (410, "task_replaced"), path
    response = server.post(f"/api/sse/permission-response/talks?identity={which}", json={"approved": True})
    assert response.status_code == 410
    assert server.get("/api/tasks/talks").json()["permissions_open"] == 1


def test_an_answer_to_a_request_that_only_the_earlier_task_had_is_410(server: Server) -> None:
    server.emit("asked", QUESTION)
    which = identity_of(server, "asked")
    replace(server, "asked", "hello")
    response = server.post(f"/api/tasks/asked/permissions/r1?identity={which}", json={"approved": True})
    assert response.status_code == 410
    assert json.loads(response.text)["error"]["message"] == (
        "the task 'asked' was deleted, and another task has its id now"
    )
