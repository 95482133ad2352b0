"""Test a database with damaged rows: each affects only its own task."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from signalbox.store import InvalidEvent, NewEvent, open_store, open_task
from signalbox.store.errors import UnreadableTask
from signalbox.store.sqlite import SqliteStore
from tests.support.server import Server
from tests.support.waiting import wait_until

NAN, INFINITE = float("nan"), float("inf")

PROGRESS: list[Any] = [
    {"current": NAN, "total": 10},
    {"current": 1, "total": NAN},
    {"current": INFINITE, "total": INFINITE},
    {"percentage": NAN},
    {"percentage": -INFINITE, "current": 1},
    {"percentage": 1e308},
    {"current": 5, "total": -10},
    {"current": 10, "total": 5},
    {"current": 0, "total": 0},
    {"current": 1, "total": 5e-324},
    {"current": "1", "total": "2"},
    {"current": True, "total": True},
    {"percentage": [[[]]]},
    {"percentage": 10**400},
    [1, 2],
    "half",
    None,
]
"""Progress that a run may report, valid or not."""

DAMAGE = {
    "no-json": "UPDATE tasks SET state = 'nonsense' WHERE task_id = ?",
    "empty": "UPDATE tasks SET state = '' WHERE task_id = ?",
    "list": "UPDATE tasks SET state = '[]' WHERE task_id = ?",
    "nan": """UPDATE tasks SET state = json_set(state, '$.progress', json('{"percentage":null}')) WHERE task_id = ?""",
    "status": "UPDATE tasks SET state = json_set(state, '$.status', 'asleep'), status = 'asleep' WHERE task_id = ?",
    "types": "UPDATE tasks SET state = json_set(state, '$.latest_seq', 'many', '$.phase', 7) WHERE task_id = ?",
    "null": "UPDATE tasks SET state = json_set(state, '$.updated_at', null) WHERE task_id = ?",
    "dates": "UPDATE tasks SET state = json_set(state, '$.updated_at', 'soon', '$.started_at', '') WHERE task_id = ?",
    "blob": "UPDATE tasks SET state = X'00ff', title = X'fffe' WHERE task_id = ?",
    "not-utf8": "UPDATE tasks SET state = CAST(X'7bff7d' AS TEXT), title = CAST(X'ff' AS TEXT) WHERE task_id = ?",
    "buckets": "UPDATE tasks SET state = json_set(state, '$.activity.counts', json('[0,-4]')) WHERE task_id = ?",
    "no-buckets": "UPDATE tasks SET state = json_set(state, '$.activity.counts', json('[]')) WHERE task_id = ?",
    "expiry": "UPDATE task_permissions SET state = json_set(state, '$.expires_at', '9999-99-99') WHERE task_id = ?",
}
"""SQL that damages the row of a task, by the id of that task."""

PARTS = (
    "UPDATE task_spans SET state = '{' WHERE task_id = ?",
    "UPDATE task_phases SET state = 'null' WHERE task_id = ?",
    "UPDATE task_checkpoints SET state = '{}' WHERE task_id = ?",
    "UPDATE task_permissions SET state = X'00' WHERE task_id = ?",
)
EVENTS = (
    "UPDATE task_events SET payload = '{\"message\":' WHERE task_id = ? AND seq = 1",
    "UPDATE task_events SET payload = X'00ff', phase = X'fe', actor = 2 WHERE task_id = ? AND seq = 2",
    "UPDATE task_events SET payload = CAST(X'7bff7d' AS TEXT) WHERE task_id = ? AND seq = 3",
    "UPDATE task_events SET payload = '[1,2]', created_at = 'yesterday' WHERE task_id = ? AND seq = 4",
    "UPDATE task_events SET payload = '{\"a\":' || replace(hex(zeroblob(900)), '00', '[')"
    " || replace(hex(zeroblob(900)), '00', ']') || '}', created_at = X'ff' WHERE task_id = ? AND seq = 5",
    'UPDATE task_events SET payload = \'{"message": "a", "size": 1e999}\' WHERE task_id = ? AND seq = 6',
)


OLD_COLUMNS = "task_id, seq, event_type, phase, actor, span_id, parent_span_id, payload, created_at, key"


def _fill(store: SqliteStore, task_id: str, **asked: Any) -> None:
    store.append(
        task_id,
        [
            NewEvent(event_type="runner_spawn"),
            NewEvent(event_type="phase_enter", phase="planning"),
            NewEvent(event_type="work_item_start", span_id="item", payload={"work_item_id": "item"}),
            NewEvent(event_type="checkpoint_commit", payload={"checkpoint_id": "one", "evidence_refs": {"a": [1]}}),
            NewEvent(event_type="permission_request", payload={"request_id": "q", "tool_name": "rm", **asked}),
            NewEvent(event_type="status", payload={"message": "of six files"}),
            NewEvent(event_type="log", payload={"message": f"the last line of {task_id}"}),
        ],
    )


def _damage(path: Path, *statements: tuple[str, str]) -> None:
    with sqlite3.connect(path) as db:
        for sql, task_id in statements:
            assert db.execute(sql, (task_id,)).rowcount, sql
    db.close()


@pytest.mark.parametrize("progress", PROGRESS, ids=repr)
def test_invalid_progress_is_stored_as_finite_numbers_or_not_at_all(store: SqliteStore, progress: Any) -> None:
    try:
        store.append("t", NewEvent(event_type="progress_update", payload={"progress": progress}))
        start = NewEvent(event_type="work_item_start", span_id="i", payload={"work_item_id": "i"})
        store.append(
            "t", [start, NewEvent(event_type="work_item_progress", span_id="i", payload={"progress": progress})]
        )
    except InvalidEvent:
        pass
    task, _ = store.create_task("t")
    assert task.progress is None or 0 <= task.progress.percentage <= 100
    assert store.append("t", NewEvent(event_type="log", payload={"message": "on"}))[0].seq == task.latest_seq + 1


def test_a_run_that_reports_nan_keeps_working(url: str) -> None:
    with closing(open_store(url)) as store, open_task(store, "train-1") as task:
        task.progress(NAN, 10)
        task.progress(1, NAN)
        with task.work_item("epoch", "train") as item:
            item.progress(NAN, 10)
        task.progress(5, 10)
    with closing(open_store(url)) as store:
        assert store.create_task("train-1")[0].status == "done"


def test_projections_are_folded_from_the_stored_payload(store: SqliteStore) -> None:
    store.append("t", NewEvent(event_type="status", payload={"status": "running", "message": NAN}))
    assert store.create_task("t")[0].message is None, "the log stores null"


def test_too_deeply_nested_a_payload_is_refused(store: SqliteStore) -> None:
    deep: Any = []
    for _ in range(200):
        deep = [deep]
    for event_type in ("status", "log"):
        with pytest.raises(InvalidEvent, match="nested at most 100 levels"):
            store.append("t", NewEvent(event_type=event_type, payload={"status": deep}))
    store.append("t", NewEvent(event_type="status", payload={"status": [[] for _ in range(500)], "x": "[" * 5000}))


def test_nothing_is_appended_to_an_unreadable_task(store: SqliteStore) -> None:
    _fill(store, "t")
    _damage(store.path, (DAMAGE["no-json"], "t"))
    with pytest.raises(UnreadableTask):
        store.append("t", NewEvent(event_type="log", payload={"message": "more"}))
    with pytest.raises(UnreadableTask):
        store.create_task("t")


@pytest.mark.long
def test_damaged_rows_affect_only_their_own_task(start_server: Callable[..., Server]) -> None:
    server = start_server(heartbeat_timeout=3600)
    store, damaged = server.store, (*DAMAGE, "parts", "events")
    for name in (*damaged, "sound"):
        _fill(store, name)
    _damage(server.path, *((sql, name) for name, sql in DAMAGE.items()))
    _damage(server.path, *((sql, "parts") for sql in PARTS), *((sql, "events") for sql in EVENTS))
    server.kill()
    server.start()
    with httpx.Client(base_url=server.url, timeout=60) as client:
        bad = []

        def get(path: str, **headers: str) -> httpx.Response:
            response = client.get(path, headers=headers)
            if response.status_code >= 500:
                bad.append((response.status_code, path))
            return response

        listed = get("/tasks").text
        assert listed.count("cannot be read") >= 5
        names = {task["task_id"] for task in get("/api/tasks").json()["tasks"]}
        assert names == {*damaged, "sound"}
        for page in (
            "/permissions",
            "/audits",
            "/tasks?sort=longest",
            "/tasks?status=waiting",
            "/tasks?q=x",
            "/metrics",
        ):
            get(page)
        for name in damaged:
            for page in ("", "/spans", "/waterfall", "/timeline", "/log?around=3", "?at=4", "?at=6"):
                get(f"/tasks/{name}{page}")
            for page in (
                "/log?q=line",
                "/conversation",
                "/events/6/payload",
                "/events/6/details",
                "/spans/item",
                "/checkpoints/one",
                "/permissions/q",
            ):
                get(f"/tasks/{name}{page}")
            for export in ("export.ndjson", "spans.csv", "export.html", "raw"):
                get(f"/tasks/{name}/{export}")
            get(f"/compare?a={name}&b=sound")
            for api in ("", "/events", "/events/latest", "/events/snapshot", "/graph", "/checkpoints"):
                response = get(f"/api/tasks/{name}{api}")
                assert response.status_code in (404, 405) or response.json() is not None, (name, api)
            assert f"the last line of {name}" in get(f"/tasks/{name}/log?after=0").text
        assert not bad, bad
        for name in damaged:
            client.post(f"/api/tasks/{name}/events", json={"event_type": "runner_exit"})
            deleted = client.post("/selection/delete", data={"task": name}, headers={"Origin": server.url})
            assert deleted.status_code < 400, (name, deleted.text)
        assert client.post("/api/tasks/sound/events", json={"event_type": "log"}).status_code == 201
    assert "Traceback" not in server.log


def test_the_supervisor_still_checks_all_other_runs(start_server: Callable[..., Server]) -> None:
    server = start_server(heartbeat_timeout=1, stale_after=3600)
    store = server.store
    for name in (*DAMAGE, "silent"):
        _fill(store, name, expires_at="2026-01-01T00:00:00Z")
        store.append(name, NewEvent(event_type="runner_heartbeat", payload={"heartbeat_interval": 0.1}))
        store.append(name, NewEvent(event_type="log", payload={"message": "x"}))
        _damage(server.path, (DAMAGE.get(name, "SELECT 1 WHERE ? <> ''") if name in DAMAGE else DAMAGE["expiry"], name))
    store.append("asks", NewEvent(event_type="permission_request", payload={"expires_at": "2026-01-01T00:00:00Z"}))
    with httpx.Client(base_url=server.url) as client:

        def has_event(task_id: str, event_type: str) -> bool:
            response = client.get(f"/api/tasks/{task_id}/events")
            assert response.status_code == 200, response.text
            events = response.json()["events"]
            return any(event["event_type"] == event_type and event["actor"] == "supervisor" for event in events)

        wait_until(lambda: has_event("silent", "status"))
        wait_until(lambda: has_event("asks", "permission_cleared"))


def test_a_damaged_event_does_not_stop_the_streams_of_others(server: Server) -> None:
    store = server.store
    store.append("fine", NewEvent(event_type="log"))
    with httpx.stream("GET", f"{server.url}/sse/events?task=fine", timeout=60) as stream:
        lines = stream.iter_lines()
        with sqlite3.connect(server.path, timeout=60) as db:
            store.append("poisoned", NewEvent(event_type="log"))
            db.execute(
                "INSERT INTO task_events (task_id, seq, event_type, actor, span_id, payload, created_at)"
                " VALUES ('poisoned', 2, X'ff', CAST(X'ff' AS TEXT), 's', '{', X'00')"
            )
        db.close()
        store.append("fine", NewEvent(event_type="log", payload={"message": "still here"}))
        assert any("still here" in line for line in lines)


def test_a_database_of_an_older_version_with_a_damaged_task_is_migrated(tmp_path: Path) -> None:
    from signalbox.store.sqlite import migrations

    path = tmp_path / "signalbox.db"
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("CREATE TABLE migrations (name TEXT PRIMARY KEY, applied_at TEXT NOT NULL)")
    for name, script in migrations.known():
        if name < "004":
            db.executescript(script)
            db.execute("INSERT INTO migrations VALUES (?, '')", (name,))
    insert = (
        "INSERT INTO tasks (task_id, created_at, status, updated_at, state)"
        " VALUES (?, '2026-01-01T00:00:00.000000Z', 'running', '2026-01-01T00:00:00.000000Z', ?)"
    )
    base = '"created_at":"2026-01-01T00:00:00.000000Z","updated_at":"2026-01-01T00:00:00.000000Z","main_span_id":"m"'
    db.execute(insert, ("broken", "nonsense"))
    db.execute(insert, ("blob", b"\x00\xff"))
    event = (
        "INSERT INTO task_events VALUES (NULL, ?, 1, 'log', NULL, 'r', 's', NULL, CAST(X'7bff7d' AS TEXT), '', NULL)"
    )
    db.execute(insert, ("text", f'{{"task_id":"text",{base},"latest_seq":1}}'))
    db.execute("INSERT INTO task_event_seq_counters VALUES ('text', 1)")
    db.execute(event.replace("VALUES (NULL, ?", f"({OLD_COLUMNS}) VALUES ('text'"))
    db.execute(insert, ("nan", f'{{"task_id":"nan",{base},"progress":{{"percentage":null,"total":10}}}}'))
    db.close()
    with closing(open_store(f"sqlite:///{path}")) as store:
        healed, _ = store.create_task("nan")
        assert healed.progress is None
        assert store.create_task("new")[1]
