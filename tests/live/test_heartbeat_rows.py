"""Heartbeats are events for programs. Pages of the log leave them out."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from signalbox.store import NewEvent, open_store
from signalbox.store.history import History
from signalbox.store.sqlite.doctor import examine
from tests.support.addresses import without_identity
from tests.support.command import signalbox
from tests.support.log import task_of
from tests.support.server import Server

BEAT = NewEvent(event_type="runner_heartbeat")


@pytest.fixture(scope="module")
def quiet_run(shared_server: Server) -> str:
    """Create a run with two events, #1 and #2, followed by 210 heartbeats; return the path of its page."""
    spawn = NewEvent(event_type="runner_spawn", span_id="main", payload={"heartbeat_interval": 10})
    shared_server.emit("quiet", spawn, "waiting for the cluster", *[BEAT] * 210)
    return "/tasks/quiet"


def seqs(page: str) -> list[int]:
    return [int(seq) for seq in re.findall(r'<li id="e(\d+)"', page)]


def test_the_page_shows_events_and_one_line_for_all_heartbeats(server: Server, quiet_run: str) -> None:
    page = server.get(quiet_run).text
    assert seqs(page) == [1, 2]
    assert "waiting for the cluster" in page
    assert '<span class="quiet">2 events</span>' in page
    assert re.search(r"alive, </span>last heartbeat <time [^>]*>\d\d:\d\d:\d\d</time>", page)
    assert f'<a href="{quiet_run}/log?type=runner_heartbeat">210 heartbeats</a>' in page


@pytest.mark.parametrize("place", ["after=0", "before=213", "around=212", "around=2", "after=1"])
def test_windows_of_the_log_leave_heartbeats_out(server: Server, quiet_run: str, place: str) -> None:
    page = server.get(f"{quiet_run}/log?{place}").text
    assert seqs(page) == ([2] if place == "after=1" else [1, 2])
    assert "2 of 2 events" in page or "1 of 2 events" in page
    assert 'rel="next"' not in page


def test_heartbeats_are_shown_on_request(server: Server, quiet_run: str) -> None:
    page = server.get(f"{quiet_run}/log?type=runner_heartbeat").text
    assert seqs(page) == list(range(3, 203))
    assert "<b>210</b> of 212 events" in page
    assert f'href="{quiet_run}/log?around=3&amp;heartbeats=1#e3"' in without_identity(page)
    with_heartbeats = server.get(f"{quiet_run}/log?around=3&heartbeats=1").text
    assert seqs(with_heartbeats) == list(range(1, 201))
    assert f'href="{quiet_run}/log?after=200&amp;heartbeats=1"' in without_identity(with_heartbeats)
    assert "#100 is a heartbeat." in server.get(f"{quiet_run}/log?around=100").text
    assert server.get(f"{quiet_run}/log?around=1&heartbeats=yes").status_code == 400


def test_searches_and_span_pages_leave_heartbeats_out(server: Server, quiet_run: str) -> None:
    assert "No events match" in server.get(f"{quiet_run}/log?q=heartbeat&phase=x").text
    assert seqs(server.get(f"{quiet_run}/log?q=heartbeat").text) == [1]
    assert "heartbeat</i>" not in server.get(f"{quiet_run}/spans/main").text


def test_a_time_leads_to_a_row_that_is_not_a_heartbeat(server: Server, quiet_run: str) -> None:
    assert server.get(f"{quiet_run}/log?at=2020-01-01").headers["location"] == f"{quiet_run}/log?around=1#e1"


def test_text_exports_leave_heartbeats_out_and_data_exports_keep_them(server: Server, quiet_run: str) -> None:
    assert len(server.get(f"{quiet_run}/raw").text.splitlines()) == 2
    assert len(server.get(f"{quiet_run}/raw?heartbeats=1").text.splitlines()) == 212
    assert len(server.get(f"{quiet_run}/export.ndjson").text.splitlines()) == 213
    assert server.get(f"/api{quiet_run}/events").json()["total"] == 212
    report = server.get(f"{quiet_run}/export.html").text
    assert seqs(report) == [1, 2]
    assert "210 heartbeats" in report


def test_tail_prints_heartbeats_on_request(server: Server) -> None:
    ended = NewEvent(event_type="runner_exit", payload={"exit_code": 0})
    server.emit("beats", "one", BEAT, BEAT, "two", ended)
    tail = ("tail", "beats", "--store", server.store_url)
    assert len(signalbox(*tail).stdout.splitlines()) == 3
    assert len(signalbox(*tail, "--heartbeats").stdout.splitlines()) == 5
    assert len(signalbox(*tail, "--json").stdout.splitlines()) == 5


async def test_upgrading_a_database_counts_its_heartbeats(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    with_beats, without = ["one", BEAT, BEAT, "two", BEAT, "three"], ["one"]
    store = open_store(url)
    for task_id, events in (("beats", with_beats), ("none", without)):
        store.append(task_id, [event if isinstance(event, NewEvent) else line(event) for event in events])
    store.close()
    with sqlite3.connect(tmp_path / "old.db") as old:
        old.executescript(
            "DROP TABLE task_heartbeats;"
            "DELETE FROM migrations WHERE name = '011_heartbeats';"
            "UPDATE tasks SET state = json_remove(state, '$.heartbeats', '$.heartbeat_seq', '$.heartbeat_at')"
        )
    old.close()
    store = open_store(url)
    store.append("beats", [BEAT, line("four")])
    async with store.read() as view:
        task = await view.task("beats")
        assert (task.rows, task.heartbeats, task.heartbeat_seq) == (4, 4, 7)
        assert [event.seq for event in await view.rows_before("beats", 9, 3)] == [4, 6, 8]
        assert (await view.task("none")).rows == 1
    await store.aclose()


def line(message: str) -> NewEvent:
    return NewEvent(event_type="log", payload={"message": message})


async def test_heartbeats_do_not_count_as_activity(url: str) -> None:
    store = open_store(url)
    spawn = NewEvent(event_type="runner_spawn", span_id="main")
    store.append("run", [BEAT, spawn, NewEvent(event_type="log"), *[BEAT] * 50, NewEvent(event_type="log")])
    async with store.read() as view:
        activity = (await view.task("run")).activity
        past = await History().state_at(view, "run", 53)
    assert activity is not None
    assert past.task.activity is not None
    assert sum(activity.counts) == 3
    assert sum(past.task.activity.counts) == 2
    await store.aclose()


def test_upgrading_a_database_removes_heartbeats_from_activity(url: str) -> None:
    store = open_store(url)
    store.append("run", [NewEvent(event_type="log"), *[BEAT] * 50])
    path = store.path
    store.close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE tasks SET state = json_set(state, '$.activity.counts[0]', 51)")
        db.execute("DELETE FROM migrations WHERE name LIKE '%activity'")
    db.close()
    store = open_store(url)
    activity = task_of(store, "run").activity
    assert activity is not None
    assert sum(activity.counts) == 1
    store.close()
    assert list(examine(path)) == []
