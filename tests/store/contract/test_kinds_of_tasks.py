"""Test the reads of kinds, and that each uses an index, so that it costs the same however many tasks there are."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from signalbox.store import NewEvent, Store, TaskQuery, open_store
from signalbox.store.sql.task_list import page
from signalbox.store.sqlite.views import SQLITE

ODD = ("a/b", "..", "größe 1 & 2", "x" * 256)


def run(store: Store, task_id: str, kind: str | None, *, status: str = "", project: str | None = None) -> None:
    store.create_task(task_id, kind=kind, project_id=project)
    if status:
        end = NewEvent(event_type="runner_exit", payload={"status": status, "message": f"it {status}"})
        store.append(task_id, [NewEvent(event_type="runner_spawn"), end])


async def test_kinds_are_listed_by_name_in_pages(store: Store) -> None:
    for number, kind in enumerate((*ODD, "build", "build", None)):
        run(store, f"t{number}", kind)
    async with store.read() as view:
        names = await view.kinds()
        assert names == sorted({*ODD, "build"})
        assert await view.kinds(names[1], 2) == names[2:4]


async def test_newest_runs_of_each_kind_come_newest_first(store: Store) -> None:
    for number in range(5):
        run(store, f"b{number}", "build", status="done")
        run(store, f"t{number}", "test")
    async with store.read() as view:
        found = await view.newest_runs(["build", "test", "none"], 3)
    assert {kind: [one.task_id for one in runs] for kind, runs in found.items()} == {
        "build": ["b4", "b3", "b2"],
        "test": ["t4", "t3", "t2"],
        "none": [],
    }
    assert (found["build"][0].status, found["test"][0].duration) == ("done", None)
    assert found["build"][0].duration is not None


async def test_kinds_of_other_projects_are_not_seen(store: Store) -> None:
    store.people.add_project("ours", "Ours")
    run(store, "mine", "build", project="ours")
    run(store, "theirs", "secret")
    async with store.read() as view:
        assert await view.kinds(projects=["ours"]) == ["build"]
        assert await view.kinds(projects=[]) == []
        runs = await view.newest_runs(["build", "secret"], 9, ["ours"])
    assert [len(found) for found in runs.values()] == [1, 0]


async def test_failed_runs_have_fingerprints(store: Store) -> None:
    run(store, "a", "build", status="failed")
    run(store, "b", "build", status="failed")
    run(store, "c", "build", status="done")
    async with store.read() as view:
        found = await view.fingerprints(["a", "b", "c"])
    assert found.keys() == {"a", "b"}
    assert found["a"] == found["b"]


def test_sqlite_reads_the_runs_of_a_kind_and_of_a_tag_in_the_order_of_an_index(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path / 'x.db'}").close()
    queries = {
        "tasks_kind": [TaskQuery(kind="a"), TaskQuery(kind="a", projects=("default", "ours"))],
        "task_tags_value": [TaskQuery(tags=(("a", "b"),)), TaskQuery(tags=(("a", "b"), ("c", "d")), archived=False)],
    }
    with closing(sqlite3.connect(tmp_path / "x.db")) as db:
        for index, wanted in queries.items():
            for query in wanted:
                sql, values = page(query, SQLITE, query.limit)
                plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
                assert index in plan[0], plan
                assert not any("TEMP B-TREE" in step or step.startswith("SCAN") for step in plan), plan
