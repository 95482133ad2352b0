"""The task list in the API and on pages: parameters, their errors, and frames caused by the passing of time."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from signalbox.store import SORTS, NewEvent, Sort, TaskQuery, TaskRecord, open_store, task_query
from signalbox.store.sql.task_list import page
from signalbox.store.sqlite import SqliteStore
from signalbox.store.sqlite.views import SQLITE
from signalbox.store.times import epoch_seconds, now, timestamp
from signalbox.webapp.drawing.fragments import Fragments
from signalbox.webapp.drawing.sparkline import bars
from signalbox.webapp.http.assets import asset
from signalbox.webapp.live.board_frames import TaskListFrames
from signalbox.webapp.views.list_query import list_url
from signalbox.webapp.views.task_list import task_list_view
from tests.support.people import person, project, session, wait_until_guarded
from tests.support.server import Server
from tests.support.sse import open_stream
from tests.support.waiting import wait_until


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = open_store(f"sqlite:///{tmp_path / 'signalbox.db'}")
    yield opened
    await opened.aclose()


def ids(server: Server, query: str) -> list[str]:
    response = server.get(f"/api/tasks?kind=listed&{query}")
    assert response.status_code == 200, response.text
    return [task["task_id"] for task in response.json()["tasks"]]


@pytest.fixture(scope="module")
def filled(shared_server: Server) -> Server:
    """Create three tasks: `old` 90 days ago, `mid` 25 hours ago, and `new` now, which is the only ended one."""
    hour = 3600.0
    for name, ago in (("old", 90 * 24 * hour), ("mid", 25 * hour), ("new", 0.0)):
        at = timestamp(epoch_seconds(now()) - ago)
        shared_server.store.import_task(TaskRecord(task_id=name, kind="listed", created_at=at), [])
    for name in ("new", "mid"):
        shared_server.emit(name, NewEvent(event_type="runner_spawn"))
    shared_server.emit("new", NewEvent(event_type="runner_exit"))
    return shared_server


def test_tasks_are_listed_in_every_order(filled: Server) -> None:
    assert ids(filled, "") == ids(filled, "sort=newest") == ["new", "mid", "old"]
    assert ids(filled, "sort=oldest") == ["old", "mid", "new"]
    assert ids(filled, "sort=active")[-1] == "old"
    assert ids(filled, "sort=longest") == ["new"]
    first = filled.get("/api/tasks?kind=listed&sort=oldest&limit=2").json()
    assert ids(filled, f"sort=oldest&cursor={first['next_cursor']}") == ["new"]


def test_tasks_are_filtered_by_creation_time(filled: Server) -> None:
    assert ids(filled, "created_since=24h") == ["new"]
    assert ids(filled, "created_since=26h") == ["new", "mid"]
    assert ids(filled, "created_until=24h") == ["mid", "old"]
    assert ids(filled, "created_since=2020-01-01&created_until=30d") == ["old"]
    day = now()[:10]
    assert "new" in ids(filled, f"created_since={day}") or now()[:10] != day


@pytest.mark.parametrize(
    ("query", "field", "expected"),
    [
        ("sort=best", "sort", "newest, oldest, active, longest"),
        ("created_since=soon", "created_since", "from 1m to 99999d"),
        ("created_until=0h", "created_until", "such as 30m, 24h or 7d"),
        ("created_since=999999d", "created_since", "99999d"),
        ("stale=yes", "stale", "0 or 1"),
        ("archived=2", "archived", "0 or 1"),
        ("cursor=x", "cursor", "a page of tasks"),
        ("sort=longest&cursor=x~x", "cursor", "a page of tasks"),
    ],
)
def test_an_invalid_parameter_is_named_with_its_bounds(server: Server, query: str, field: str, expected: str) -> None:
    response = server.get(f"/api/tasks?{query}")
    assert response.status_code == 400
    assert response.json()["error"]["field"] == field
    assert expected in response.json()["error"]["message"]
    page = server.get(f"/tasks?{query}", headers={"Accept": "text/html"})
    assert page.status_code == 400


def test_the_cursor_of_another_order_is_a_conflict(server: Server) -> None:
    response = server.get("/api/tasks?sort=longest&cursor=2026-11-21T14:02:07.000000Z~run")
    assert response.status_code == 409
    assert "another order" in response.json()["error"]["message"]


def test_the_url_of_a_list_restores_its_filters(filled: Server) -> None:
    query = TaskQuery(statuses=("done", "failed"), text="a&b", kind="c d", since="24h", archived=True, sort="active")
    url = list_url(query)
    assert url == "/tasks?status=done&status=failed&q=a%26b&kind=c+d&created_since=24h&archived=1&sort=active"
    page = filled.get(url).text
    assert 'name="q" value="a&amp;b"' in page
    assert '<option value="24h" selected>' in page
    assert list_url(query, before="x~y").endswith("&cursor=x~y")
    assert list_url(TaskQuery()) == "/tasks"


@pytest.mark.parametrize("sort", SORTS)
def test_every_sort_order_uses_an_index(tmp_path: Path, sort: Sort) -> None:
    opened = open_store(f"sqlite:///{tmp_path / 'signalbox.db'}")
    sql, values = page(TaskQuery(sort=sort, archived=False, before="1~x"), SQLITE, 51)
    with closing(sqlite3.connect(tmp_path / "signalbox.db")) as db:
        plan = " ".join(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values))
    opened.close()
    assert "USING INDEX tasks_listed" in plan
    assert "TEMP B-TREE" not in plan


def test_activity_bars_show_small_counts_beside_a_burst() -> None:
    assert bars([]) == ""
    assert bars([4, 0, 1]) == "M0 12v-12h.8v12zM2 12v-6h.8v6z"
    assert bars([100_000, 1]).endswith("M1 12v-1h.8v1z")


async def test_the_first_frame_after_a_page_was_loaded_has_only_the_row_that_changed(store: SqliteStore) -> None:
    for name in ("changing", "resting"):
        store.append(name, NewEvent(event_type="log", payload={"message": "hello"}))
    renderer = TaskListFrames(store, Fragments(asset), TaskQuery(archived=False))
    async with store.read() as view:
        page = await task_list_view(view, TaskQuery(archived=False))
    assert await renderer.from_state(page.event_id, page.state) is None
    store.append("changing", NewEvent(event_type="log", payload={"message": "changed"}))
    chunk = await renderer.from_state(page.event_id, page.state)
    assert chunk is not None
    frame = chunk.body.decode()
    assert "changed" in frame
    assert "resting" not in frame


async def test_a_task_that_becomes_too_old_leaves_the_list_without_an_event(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [now()]
    monkeypatch.setattr(task_query, "now", lambda: clock[0])
    store.create_task("aging")
    query = TaskQuery(since="1h", archived=False)
    renderer = TaskListFrames(store, Fragments(asset), query)
    async with store.read() as view:
        page = await task_list_view(view, query)
    assert await renderer.from_state(page.event_id, page.state) is None
    clock[0] = timestamp(epoch_seconds(clock[0]) + 3700)
    chunk = await renderer.from_state(page.event_id, page.state)
    assert chunk is not None
    frame = chunk.body.decode()
    assert f'data-from="{page.event_id}" data-to="{page.event_id}"' in frame
    assert "aging" not in frame
    assert await renderer.from_state(page.event_id, chunk.shown) is None


def shown(page: str) -> str:
    """Return the name of the state that a page or a frame of the list shows."""
    (name,) = re.findall(r'data-shown="(\w+)"', page)
    return str(name)


def test_a_list_that_changed_before_its_stream_began_is_brought_up_to_date(
    start_server: Callable[..., Server],
) -> None:
    server = start_server()
    (event,) = server.emit("run", "hello")
    loaded = server.get("/tasks").text
    server.store.people.add_project("web", "The web site")
    for _ in range(2):
        # The second stream finds that the server has already sent the new state to another one.
        with open_stream(f"{server.url}/live/tasks?since={event.event_id}&shown={shown(loaded)}") as stream:
            frame = next(message.data for message in stream if "data-shown" in message.data)
        assert 'aria-label="Project"' in frame
    assert shown(frame) == shown(server.get("/tasks").text) != shown(loaded)


def test_the_project_filter_is_shown_only_with_several_projects(start_server: Callable[..., Server]) -> None:
    server = start_server()
    server.emit("plain", "hello")
    assert "all projects" not in server.get("/tasks").text
    store = server.store
    for name in ("ours", "theirs"):
        project(store, name)
        store.create_task(f"of-{name}", project_id=name)
    page = server.get("/tasks?project=ours").text
    assert '<a href="/tasks?project=ours" aria-current="true">ours <span class="count">1</span></a>' in page
    assert "of-theirs" not in page
    assert [t["task_id"] for t in server.get("/api/tasks?project=ours").json()["tasks"]] == ["of-ours"]

    viewer = session(store, person(store, "viewer@example.org", ours="viewer"))
    wait_until_guarded(server)
    page = server.get("/tasks", headers=viewer).text
    assert "of-ours" in page
    assert "of-theirs" not in page
    assert "all projects" not in page
    assert server.get("/api/tasks?project=theirs", headers=viewer).json()["tasks"] == []


def test_a_silent_run_is_stale_until_its_next_event(start_server: Callable[..., Server]) -> None:
    server = start_server(stale_after=0.5, heartbeat_timeout=60)
    server.emit("silent", NewEvent(event_type="runner_spawn"))
    server.emit("waits", NewEvent(event_type="permission_request", payload={"request_id": "r", "tool_name": "rm"}))
    server.emit("over", NewEvent(event_type="runner_exit"))
    listed = wait_until(lambda: server.get("/api/tasks?stale=1").json()["tasks"])
    assert [task["task_id"] for task in listed] == ["silent"]
    assert "stale" in server.get("/tasks?stale=1").text
    server.emit("silent", NewEvent(event_type="runner_exit"))
    assert server.get("/api/tasks?stale=1").json()["tasks"] == []
