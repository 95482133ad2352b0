"""The page of space, the page of a hold, and the conversion of an older database."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import httpx
from click.testing import CliRunner

from signalbox.store import NewEvent, open_store
from signalbox.store.sqlite.vacuum import plan_of
from signalbox.webapp.cli import cli
from tests.support.server import Server

DONE = NewEvent(event_type="runner_exit", payload={"exit_code": 0})


def test_the_page_and_the_api_show_the_space_by_project_and_kind(server: Server) -> None:
    server.store.create_task("space-1", kind="space-kind")
    server.store.append("space-1", DONE)
    page = httpx.get(f"{server.url}/admin/space").text
    assert re.search(r'href="/tasks\?project=default&(amp;)?kind=space-kind"', page)
    assert "are too few" in page
    found = httpx.get(f"{server.url}/api/space").json()
    assert found["returns_free"] is True
    assert found["growth_per_day"] is None
    assert ("default", "space-kind", 1) in {(one["project_id"], one["kind"], one["tasks"]) for one in found["kinds"]}


def test_a_hold_is_put_and_released_with_forms_and_over_http(server: Server) -> None:
    server.store.create_task("hold-1", title="Held run")
    server.store.append("hold-1", DONE)
    path = f"{server.url}/tasks/hold-1/hold"
    headers = {"Origin": server.url}
    assert httpx.post(path, data={"reason": " "}, headers=headers).status_code == 400
    assert httpx.post(path, data={"reason": "evidence <1>"}, headers=headers).status_code == 303
    page = httpx.get(path).text
    assert "evidence &lt;1&gt;" in page
    assert "evidence &lt;1&gt;" in httpx.get(f"{server.url}/tasks/hold-1").text
    refused = httpx.delete(f"{server.url}/api/tasks/hold-1")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
    assert httpx.post(path, data={"release": "1"}, headers=headers).status_code == 303
    held = httpx.put(f"{server.url}/api/tasks/hold-1/hold", json={"reason": "again"}).json()["hold"]
    assert held["reason"] == "again"
    assert httpx.delete(f"{server.url}/api/tasks/hold-1/hold").json()["hold"] is None
    assert httpx.delete(f"{server.url}/api/tasks/hold-1").status_code == 204


def test_an_older_database_is_converted_and_shrinks(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    store = open_store(f"sqlite:///{path}")
    store.append("large", [NewEvent(event_type="log", payload={"message": "x" * 1000})] * 1000)
    store.close()
    with sqlite3.connect(path) as database:
        # As in a database of an earlier version: free pages stay in the file.
        database.execute("PRAGMA auto_vacuum = NONE")
        database.execute("VACUUM")
    database.close()
    store = open_store(f"sqlite:///{path}")
    store.delete_task("large")
    before = plan_of(path)
    assert not before.converted
    assert before.free > before.bytes / 2
    arguments = ["vacuum", "--store", f"sqlite:///{path}"]
    checked = CliRunner().invoke(cli, [*arguments, "--check"])
    assert "keeps free pages" in checked.output
    converted = CliRunner().invoke(cli, arguments)
    assert converted.exit_code == 0, converted.output
    after = plan_of(path)
    assert after.converted
    assert after.bytes < before.bytes / 2
    # The store that was open meanwhile goes on.
    store.append("new", DONE)
    store.check()
    assert store.problems == []
    store.close()
