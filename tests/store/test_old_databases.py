"""Test that databases of earlier versions open with all their data.

Each file of `databases/` is the dump of one, named after the newest migration of the version that created it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from signalbox.store import NewEvent, TaskQuery, open_store
from signalbox.store.contract import LogQuery
from signalbox.store.sqlite.doctor import examine

DUMPS = sorted((Path(__file__).parent / "databases").glob("*.sql"))


@pytest.fixture(params=DUMPS, ids=lambda dump: dump.stem)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "signalbox.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(request.param.read_text())
    return path


async def test_an_old_database_opens_with_all_its_data(path: Path) -> None:
    store = open_store(f"sqlite:///{path}")
    async with store.read() as view:
        tasks = {task.task_id: task for task in (await view.tasks(TaskQuery())).tasks}
        assert {name: (task.status, task.latest_seq, task.heartbeats) for name, task in tasks.items()} == {
            "nightly": ("done", 17, 0),
            "beats": ("running", 6, 5),
            "asking": ("waiting", 3, 0),
            "empty": ("queued", 0, 0),
        }
        assert len({task.identity for task in tasks.values()}) == 4
        assert [event.seq for event in await view.rows_after("beats", 0)] == [4]
        assert (await view.search("nightly", LogQuery(text="red line"))).total == 1
        assert [phase.phase for phase in await view.phases("nightly")] == ["planning", "executing"]
        assert [permission.state for permission in await view.permissions("asking", open_only=False)] == [
            "approved",
            "open",
        ]
        assert [audit["seq"] for audit in await view.audits("asking")] == [3]
    assert [account.email for account in await store.people.accounts()] == ["ann@example.org"]
    assert store.append("nightly", NewEvent(event_type="log"))[0].seq == 18
    assert store.append("asking", NewEvent(event_type="permission_request", key="k1"))[0].seq == 1
    await store.aclose()
    assert list(examine(path)) == []


async def test_a_database_is_migrated_once(path: Path) -> None:
    open_store(f"sqlite:///{path}").close()
    applied = "SELECT name, applied_at FROM migrations ORDER BY name"
    with closing(sqlite3.connect(path)) as db:
        before = db.execute(applied).fetchall()
    open_store(f"sqlite:///{path}").close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute(applied).fetchall() == before
