"""Test a full disk and a damaged database: health reports them, errors are clear, and other tasks are unaffected."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx
import msgspec
import pytest
from click.testing import CliRunner

from signalbox.store import NewEvent, StoreDamaged, open_store
from signalbox.store.errors import StoreFull
from signalbox.store.sqlite import SqliteStore
from signalbox.store.sqlite.doctor import Finding, examine
from signalbox.webapp.cli import cli
from tests.support.people import token, wait_until_guarded
from tests.support.server import Server
from tests.support.sse import open_stream

BIG = NewEvent(event_type="log", payload={"message": "x" * 3000})


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def damage(path: Path, marker: str) -> int:
    """Overwrite the pages of a closed database that contain `marker`, and return how many there were."""
    data, size, damaged_pages = bytearray(path.read_bytes()), 4096, 0
    for start in range(size, len(data), size):
        if marker.encode() in data[start : start + size]:
            data[start : start + size] = b"\xff" * size
            damaged_pages += 1
    path.write_bytes(data)
    return damaged_pages


def create_database_with_damaged_log(path: Path) -> None:
    """Return a database in which events of the task `torn` cannot be read and those of `sound` can."""
    store = open_store(f"sqlite:///{path}")
    store.append("sound", [BIG] * 20)
    torn = NewEvent(event_type="log", payload={"message": "torn-marker " * 250})
    store.append("torn", [torn] * 20)
    store.append("sound", [BIG] * 20)
    store.close()
    assert damage(path, "torn-marker torn-marker")


def test_a_full_disk_is_a_problem_until_there_is_room(store: SqliteStore) -> None:
    store.append("run", BIG)
    writing = store._writer._connection
    (pages,) = writing.execute("PRAGMA page_count").fetchone()
    writing.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StoreFull) as caught:
        store.append("run", [BIG] * 50)
    assert caught.value.retryable
    assert [code for code, _ in store.problems] == ["disk_full"]
    store.check()
    assert [code for code, _ in store.problems] == ["disk_full"]
    writing.execute("PRAGMA max_page_count = 1000000")
    store.check()
    assert store.problems == []
    assert store.append("run", [BIG] * 50)[-1].seq == 51
    assert list(examine(store.path)) == []


async def test_damage_is_reported_as_an_error_that_no_retry_helps(tmp_path: Path) -> None:
    path = tmp_path / "signalbox.db"
    create_database_with_damaged_log(path)
    store = open_store(f"sqlite:///{path}")
    with pytest.raises(StoreDamaged) as caught:
        async with store.read() as view:
            await view.events("torn", 0, 100)
    assert not caught.value.retryable
    assert [code for code, _ in store.problems] == ["store_damaged"]
    async with store.read() as view:
        assert len(await view.events("sound", 0, 100)) == 40
    assert store.append("sound", BIG)[0].seq == 41
    await store.aclose()


def test_a_server_serves_the_readable_tasks_of_a_damaged_database(start_server: Callable[..., Server]) -> None:
    server = start_server()
    server.kill()
    if server.path.exists():
        server.replace_database()
    create_database_with_damaged_log(server.path)
    server.start()
    refused = server.get("/api/tasks/torn/events")
    assert (refused.status_code, refused.json()["error"]["code"]) == (500, "store_damaged")
    assert "retry-after" not in refused.headers
    health = server.get("/api/events/health")
    assert (health.status_code, health.json()["problems"][0]["code"]) == (503, "store_damaged")
    with open_stream(f"{server.url}/sse/tasks/torn/events") as stream:
        last = list(stream)[-1]
    assert (last.event, last.json["reason"], last.retry) == ("reconnect", "damaged", 30_000)
    with open_stream(f"{server.url}/sse/tasks/sound/events?since_seq=40") as stream:
        assert server.post("/api/tasks/sound/events", {"event_type": "log"}).status_code == 201
        assert next(message for message in stream if message.id).id == "41"
    assert server.get("/tasks/sound").status_code == 200


async def test_the_tail_skips_unreadable_events(tmp_path: Path) -> None:
    from signalbox.store.tail import Tail
    from signalbox.store.wake import Wake

    path = tmp_path / "signalbox.db"
    create_database_with_damaged_log(path)
    store = open_store(f"sqlite:///{path}")
    seen: list[int] = []
    tail = Tail(
        store, lambda events: seen.extend(event.seq for event in events if event.task_id == "sound"), Wake(store)
    )
    tail.position = 1
    for _ in range(10):
        await tail._read()
    assert seen[:5] == [1, 2, 3, 4, 5]
    assert seen[-5:] == [36, 37, 38, 39, 40]
    assert len(seen) >= 30
    await tail.stop()
    await store.aclose()


def finding_codes(path: Path) -> list[str]:
    return [finding.code for finding in examine(path)]


def create_used_database(path: Path) -> None:
    store = open_store(f"sqlite:///{path}")
    store.append("run", [NewEvent(event_type="phase_enter", phase="planning"), BIG, BIG])
    store.append("run", NewEvent(event_type="work_item_start", span_id="w", payload={"work_item_id": "1"}))
    store.append("run", NewEvent(event_type="permission_request", payload={"request_id": "r", "tool_name": "t"}))
    store.append("run", NewEvent(event_type="checkpoint_commit", payload={"checkpoint_id": "c"}))
    store.append("run", NewEvent(event_type="runner_heartbeat"))
    store.append("run", NewEvent(event_type="runner_exit", payload={"exit_code": 0}))
    store.create_task("empty")
    store.close()


@pytest.mark.parametrize(
    ("sql", "code", "words"),
    [
        ("UPDATE task_event_seq_counters SET last_seq = 99 WHERE task_id = 'run'", "counter", "99"),
        ("DELETE FROM task_events WHERE seq = 2", "counter", "#1 to"),
        ("UPDATE sqlite_sequence SET seq = 1 WHERE name = 'task_events'", "counter", "event id"),
        (
            "UPDATE tasks SET state = json_set(state, '$.status', 'running') WHERE task_id = 'run'",
            "projection",
            "status",
        ),
        ("UPDATE tasks SET state = 'no JSON' WHERE task_id = 'run'", "projection", "cannot be read"),
        ("DELETE FROM task_spans WHERE span_id = 'w'", "projection", "spans"),
        ("DELETE FROM task_permissions", "projection", "permissions"),
        ("UPDATE task_checkpoints SET task_id = 'nobody'", "loose_row", "task_checkpoints"),
        ("INSERT INTO migrations VALUES ('999_future', '2030-01-01')", "too_new", "999_future"),
        ("DELETE FROM migrations WHERE name LIKE '005%'", "old", "005"),
    ],
)
def test_the_doctor_finds_inconsistencies(tmp_path: Path, sql: str, code: str, words: str) -> None:
    path = tmp_path / "signalbox.db"
    create_used_database(path)
    assert list(examine(path)) == []
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA foreign_keys = OFF")
        raw.execute(sql)
    raw.close()
    findings = list(examine(path))
    assert any(finding.code == code and words in finding.message for finding in findings), findings
    assert all(finding.advice for finding in findings)


def test_the_doctor_finds_damage_and_files_that_are_no_database(tmp_path: Path) -> None:
    path = tmp_path / "signalbox.db"
    assert finding_codes(path) == ["missing"]
    create_database_with_damaged_log(path)
    assert "damaged" in finding_codes(path)
    path.write_text("this is no database\n" * 500)
    assert finding_codes(path) == ["damaged"]
    path.write_bytes(b"")
    assert finding_codes(path) == ["foreign"]


def test_the_doctor_names_processes_that_hold_a_deleted_file(tmp_path: Path) -> None:
    path = tmp_path / "signalbox.db"
    create_used_database(path)
    code = "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute('SELECT 1 FROM tasks').fetchall();"
    with Popen(
        [sys.executable, "-c", code + "print(); sys.stdout.flush(); input()", str(path)], stdin=-1, stdout=-1
    ) as holder:
        assert holder.stdout
        holder.stdout.readline()
        path.unlink()
        findings = list(examine(path))
        holder.communicate(b"\n")
    assert [finding.code for finding in findings] == ["deleted_file", "missing"]
    assert str(holder.pid) in findings[0].message


def test_the_command_doctor_prints_its_findings_and_exits_with_1(tmp_path: Path) -> None:
    path = tmp_path / "signalbox.db"
    create_used_database(path)
    ask = ["doctor", "--store", f"sqlite:///{path}"]
    well = CliRunner().invoke(cli, ask, standalone_mode=False)
    assert (well.return_value, well.output) == (0, f"{path}: nothing is wrong\n")
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE task_event_seq_counters SET last_seq = 99 WHERE task_id = 'run'")
    raw.close()
    ill = CliRunner().invoke(cli, [*ask, "--json"], standalone_mode=False)
    assert ill.return_value == 1
    assert Finding(**msgspec.json.decode(ill.output)[0]).code == "counter"


def create_database_with_damaged_list(path: Path) -> None:
    """Return a database in which the `tasks` rows of `torn-…` cannot be read and those of `sound-…` can."""
    store = open_store(f"sqlite:///{path}")
    asks = NewEvent(event_type="permission_request", payload={"request_id": "q", "expires_at": "2026-01-01T00:00:00Z"})
    alive = NewEvent(event_type="runner_heartbeat", payload={"heartbeat_interval": 0.1})
    for name in ("sound-1", "sound-2", "torn-1", "torn-2", "torn-3", "sound-3", "sound-4"):
        long = "torn-marker " * 250 if name.startswith("torn") else "x" * 3000
        store.append(name, [NewEvent(event_type="log"), asks, alive])
        store.append(name, NewEvent(event_type="status", payload={"status": "running", "message": long}))
    store.close()
    data, damaged_pages = bytearray(path.read_bytes()), 0
    for start in range(4096, len(data), 4096):
        page = data[start : start + 4096]
        if b"torn-marker" in page and b'"main_span_id"' in page:
            data[start : start + 4096] = b"\xff" * 4096
            damaged_pages += 1
    assert damaged_pages
    path.write_bytes(data)


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
    until(lambda: all({"permission_cleared", "status"} <= event_types(name) for name in sound), 20)
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


def test_the_doctor_names_each_unreadable_task(tmp_path: Path) -> None:
    path = tmp_path / "signalbox.db"
    create_database_with_damaged_list(path)
    messages = [finding.message for finding in examine(path) if finding.code == "damaged"]
    for name in ("torn-1", "torn-2", "torn-3"):
        assert any(name in message for message in messages), messages
    assert not any("sound" in message for message in messages)


def create_database_with_damaged_counter(path: Path) -> None:
    """Return a database in which the counter of the task `torn` cannot be read."""
    store = open_store(f"sqlite:///{path}")
    names = ["a-sound", *(f"task-{n:03}" for n in range(200)), "torn"]
    identities = {name: store.create_task(name)[0].identity for name in names}
    store.append("a-sound", NewEvent(event_type="log"))
    store.close()
    data = bytearray(path.read_bytes())
    (page,) = [
        start
        for start in range(4096, len(data), 4096)
        if identities["torn"].encode() in data[start : start + 4096]
        and b'"main_span_id"' not in data[start : start + 4096]
    ]
    assert identities["a-sound"].encode() not in data[page : page + 4096]
    data[page : page + 4096] = b"\xff" * 4096
    path.write_bytes(data)


def first_tasks(url: str, count: int, **options: Any) -> list[str]:
    """Return the task of each of the first events of a feed."""
    with open_stream(url, **options) as stream:
        return [next(message for message in stream if message.id).json["task_id"] for _ in range(count)]


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
    findings = finding_codes(server.path)
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
    assert finding_codes(server.path) == findings
