"""Test that PostgreSQL has an index for every read, so that no read scans a table that grows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import psycopg
import pytest

from signalbox.store import LogQuery, NewEvent, Store, TaskQuery, open_store
from signalbox.store.postgresql.connection import Address
from signalbox.store.postgresql.database import with_driver_placeholders
from signalbox.store.postgresql.pool import PLANS
from signalbox.store.postgresql.views import PostgresView
from tests.support.every_read import reads_of_lists, reads_of_task, value_of
from tests.support.shared_postgres import create_database
from tests.support.varied_log import record, varied_log

SMALL_TABLES = ("projects", "saved_views", "log_position", "store_facts", "consumers", "task_audits")
"""Tables that may be scanned: they have few rows, except `task_audits`, whose newest rows a page shows."""

WITHOUT_INDEX = ("sort='active'", "sort='longest'")
"""Orders without an index over archived and other tasks together. Each has an index over tasks not archived."""


class ExplainedView(PostgresView):
    """A view that records the plans of its queries."""

    # A class attribute, because `brief()` creates another view.
    plans: ClassVar[list[str]] = []

    async def _rows(self, sql: str, *values: object) -> list[Any]:
        cursor = await self._connection.execute(f"EXPLAIN (COSTS OFF) {with_driver_placeholders(sql)}", values)
        self.plans.append(sql + "\n" + "\n".join(row[0] for row in await cursor.fetchall()))
        return await super()._rows(sql, *values)


@pytest.fixture(scope="module")
def url() -> str:
    return create_database()


@pytest.fixture(scope="module")
def store(url: str) -> Iterator[Store]:
    store = open_store(url)
    for number in range(3):
        store.import_task(record(f"t{number}", number), varied_log(f"t{number}", 300, number))
    yield store
    store.close()


@pytest.fixture
async def view(url: str, store: Store) -> ExplainedView:
    connection: psycopg.AsyncConnection = await Address(url).aconnect(10.0)
    # The planner then scans a table only if there is no index for the query.
    await connection.execute("SET enable_seqscan = off")
    await connection.execute("SET enable_bitmapscan = off")
    return ExplainedView(connection)


@pytest.mark.long
async def test_no_read_scans_a_table_that_grows(view: ExplainedView) -> None:
    for name, read in [*reads_of_lists(["t0", "t1"]), *reads_of_task("t0")]:
        if name.startswith("tasks ") and any(order in name for order in WITHOUT_INDEX) and "archived=None" in name:
            continue
        view.plans.clear()
        await value_of(view, read)
        for plan in view.plans:
            scanned = {line.split("Seq Scan on ")[1].split()[0] for line in plan.splitlines() if "Seq Scan on " in line}
            assert scanned <= set(SMALL_TABLES), f"{name} scans {scanned}:\n{plan}"


async def test_the_pages_of_the_task_list_are_read_in_the_order_of_an_index(view: ExplainedView) -> None:
    for query in (
        *(TaskQuery(sort=sort, archived=False) for sort in ("newest", "oldest", "active", "longest")),
        TaskQuery(archived=True),
        TaskQuery(archived=False, statuses=("failed",)),
        TaskQuery(project="default"),
        TaskQuery(stale=True),
    ):
        view.plans.clear()
        await view.tasks(query)
        assert not any("Sort" in plan for plan in view.plans), "\n\n".join(view.plans)


async def test_a_query_for_types_reads_no_line_of_output(view: ExplainedView) -> None:
    for query in (
        view.search("t0", LogQuery(event_type="checkpoint_commit")),
        view.events_of_types("t0", ["checkpoint_commit", "phase_enter"], 1000),
        view.events_of_types("t0", ["checkpoint_commit"], 1000, naming="c"),
    ):
        view.plans.clear()
        await query
        steps = [line for line in view.plans[0].splitlines() if " on task_events" in line]
        assert steps
        assert all("task_events_types" in step for step in steps), view.plans[0]


async def test_children_are_counted_with_an_index_when_most_spans_have_one_parent(url: str, store: Store) -> None:
    log = [NewEvent(event_type="phase_enter", span_id="main", payload={"phase": "executing"})]
    log += [
        NewEvent(event_type="work_item_started", span_id=f"item-{n}", parent_span_id="main", payload={})
        for n in range(600)
    ]
    store.append("wide", log)
    connection = await Address(url).aconnect(10.0)
    await connection.execute(PLANS)
    await connection.execute("ANALYZE task_spans")
    view = ExplainedView(connection)
    view.plans.clear()
    assert await view.child_counts("wide", ["main", "item-1", "item-2"]) == {"main": 600}
    counted = [line for line in view.plans[0].splitlines() if "task_spans c" in line]
    assert counted
    assert all("task_spans_children" in line for line in counted), view.plans[0]
