"""Test damaged values in the tables of a task: they affect only their own task, and no work in the background."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import cycle
from pathlib import Path

import httpx
import pytest

from signalbox.store import NewEvent
from signalbox.store.search.documents import BLOCK_EVENTS
from signalbox.store.sqlite import SqliteStore
from tests.support.server import Server
from tests.support.waiting import wait_until

BLOB = "X'00ff'"
OTHERS = ("'{'", "'[1]'", "'null'", "CAST(X'7bff7d' AS TEXT)", "''", "7")
"""SQL of values of which at most one is valid in a column. Each column gets a blob, and one of the others."""

DAMAGED = {
    "task_unfinished": ("lines", "updated_at"),
    "task_tags": ("name", "value", "created_at"),
    "task_messages": ("state",),
    "task_artifacts": ("state", "sha256"),
    "task_conversation": ("span_id", "pieces"),
    "task_heartbeats": ("before",),
    "task_sizes": ("bytes", "ended_at"),
    "signed_heads": ("link", "signature", "signed_at", "reason"),
    "redacted_events": ("digest",),
    "tasks": ("failure_lines", "fingerprint", "link", "hold", "erased_at", "active_at", "duration", "kind", "title"),
    "task_events": ("plain", "occurred_at", "link", "origin", "created_at", "phase"),
}
COLUMNS = [(table, column) for table, columns in DAMAGED.items() for column in columns]
TASKS = {
    f"{table}.{column}.{kind}": (table, column, value)
    for (table, column), other in zip(COLUMNS, cycle(OTHERS))
    for kind, value in (("blob", BLOB), ("other", other))
}

NOW = "'2026-11-27T10:00:00Z'"
ROWS = {
    "task_unfinished": f"""(?, '[{{"stream":"stdout","message":"45 %"}}]', {NOW})""",
    "task_tags": f"(?, 'branch', 'main', {NOW}, 1)",
    "task_messages": "(?, 1, 1, 1, '{}')",
    "task_artifacts": "(?, 1, 'ab', '{}')",
    "task_conversation": "(?, 2, 3, 'main', 1)",
    "task_heartbeats": "(?, 2, 3, 0)",
    "task_sizes": "(?, '', 1, 10, 0, NULL)",
    "signed_heads": f"(?, 1, 'end', 'k', '', X'00', {NOW}, 's')",
    "redacted_events": "(?, 2, X'00')",
}
"""The values of a row for a task that has none in this table."""

PAGES = ("", "/log?failures=1", "/conversation", "/spans", "?at=4", "/export.html", "/events/2/details", "/artifacts")
API = ("", "/events", "/events/snapshot", "/outcome", "/heads")
LISTS = (
    *("/tasks", "/tasks?q=line", "/search?q=line", "/search?q=line&failures=1", "/kinds", "/kinds/command", "/space"),
    *("/audits", "/permissions", "/metrics", "/api/tasks", "/api/search?q=line", "/watch", "/api/space", "/logs"),
)


def _fill(store: SqliteStore, task_id: str) -> None:
    store.create_task(task_id, kind="command")
    store.append(
        task_id,
        [
            NewEvent(event_type="runner_spawn"),
            NewEvent(event_type="log", payload={"message": f"\x1b[31ma line of {task_id}", "stream": "stderr"}),
            NewEvent(event_type="log", payload={"role": "assistant", "content": "hello"}),
            NewEvent(event_type="permission_request", payload={"request_id": "q", "tool_name": "rm"}),
            NewEvent(event_type="runner_exit", payload={"exit_code": 1, "error": "it broke"}),
        ],
    )


def _damage(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        for name, (table, column, value) in TASKS.items():
            if not db.execute(f"SELECT 1 FROM {table} WHERE task_id = ?", (name,)).fetchone():
                db.execute(f"INSERT INTO {table} VALUES {ROWS[table]}", (name,))
            where = " AND seq = 2" if table == "task_events" else ""
            assert db.execute(f"UPDATE {table} SET {column} = {value} WHERE task_id = ?{where}", (name,)).rowcount


@pytest.mark.long
def test_damaged_values_affect_only_their_own_task(start_server: Callable[..., Server]) -> None:
    server = start_server(heartbeat_timeout=3600)
    for name in (*TASKS, "sound"):
        _fill(server.store, name)
    server.kill()
    _damage(server.path)
    server.start()
    with httpx.Client(base_url=server.url, timeout=60) as client:
        paths = [*LISTS, *(f"/tasks/{name}{page}" for name in TASKS for page in PAGES)]
        paths += [f"/api/tasks/{name}{path}" for name in TASKS for path in API]
        assert [path for path in paths if client.get(path).status_code >= 500] == []
        wait_until(lambda: client.get("/api/search?q=line").json()["index"]["behind"] < BLOCK_EVENTS)
        assert client.get("/sse/health").status_code == 200
        for name in TASKS:
            assert client.post(f"/api/tasks/{name}/events", json={"event_type": "log"}).status_code < 500, name
            assert client.delete(f"/api/tasks/{name}").status_code < 500, name
    assert "Traceback" not in server.log
