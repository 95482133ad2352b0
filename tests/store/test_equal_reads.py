"""Test that every read of a PostgreSQL store returns the same values as that of a SQLite store with the same logs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from signalbox.store import Store, open_store
from signalbox.store.state import Unfinished
from tests.support.every_read import reads_of_lists, reads_of_task, value_of
from tests.support.shared_postgres import create_database
from tests.support.varied_log import record, varied_log

SMALL = (500, 80, 20, 3, 1, 60, 20)
LARGE = (60_000, 20_000, 10_000, 5_000, 4_000, 900, 100)
"""The sizes of the logs. The reads of one task are compared for the first `MOST` logs."""

MOST = 3


@pytest.fixture(params=[SMALL, pytest.param(LARGE, marks=pytest.mark.soak)], ids=["small", "large"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Store, Store, list[str]]]:
    kinds = open_store(f"sqlite:///{tmp_path / 'a.db'}"), open_store(create_database())
    for store in kinds:
        store.people.add_project("other", "Other")
        for number, size in enumerate(request.param):
            log = varied_log(f"t{number}", size, number, ended=number % 2 == 0)
            store.import_task(record(f"t{number}", number), log, "other" if number == 3 else None)
        store.set_unfinished("t1", [Unfinished("50 %", "stdout"), Unfinished("nul \x00")])
        store.archive_task("t4", True, actor="ada", source="nul \x00 here")
        store.archive_task("t6", True, actor="bob", source="192.0.2.7")
        store.archive_task("t6", False, actor="bob", source="192.0.2.7")
        store.mark_stale("t5", request.param[5])
        store.save_view("failed", "status=failed&text=\x00", actor="ada")
        store.save_view("Builds", "kind=build", actor="ada", project_id="other")
        store.import_task(record("empty", 99), [])
    yield *kinds, [f"t{number}" for number in range(len(request.param))]
    for store in kinds:
        store.close()


@pytest.mark.long
async def test_both_kinds_of_store_return_the_same_values(stores: tuple[Store, Store, list[str]]) -> None:
    sqlite, postgresql, task_ids = stores
    reads = [*reads_of_lists(task_ids), *(read for task_id in task_ids[:MOST] for read in reads_of_task(task_id))]
    async with sqlite.read() as view:
        expected = [await value_of(view, read) for _, read in reads]
    async with postgresql.read() as view:
        found = [await value_of(view, read) for _, read in reads]
    for (name, _), value, wanted in zip(reads, found, expected, strict=True):
        assert value == wanted, name
