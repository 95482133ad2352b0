"""Test that a search over all tasks in SQLite reads no table from end to end, except those that stay small."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from signalbox.store import NewEvent, open_store
from signalbox.store.search import SearchQuery
from signalbox.store.sqlite.payloads import add_functions
from signalbox.store.sqlite.views import View
from tests.support.search_index import fill

SMALL_TABLES = {
    "search_state",
    "search_changed",
    "search_parts",
    "search_times",
    "json_each",
    "search_texts",
    "sqlite_sequence",
}
"""`search_times` has a row for 1,024 events. A scan of `search_texts` uses the index of its pieces of text."""

QUERIES = (
    SearchQuery("needle"),
    SearchQuery("needle", before=100),
    SearchQuery("needle", after=100),
    SearchQuery("needle", level="error", kind="build", projects=("default",)),
    SearchQuery("needle", since="1h", until="2099-01-01T00:00:00Z"),
    SearchQuery("needle", statuses=("running", "failed")),
    SearchQuery(failures=True, statuses=("running",)),
    SearchQuery(since="1h"),
)


async def test_a_search_scans_only_small_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    statements: list[tuple[str, tuple[object, ...]]] = []
    rows = View._rows

    async def recorded(self: View, sql: str, *values: object) -> list[Any]:
        statements.append((sql, values))
        return await rows(self, sql, *values)

    store = open_store(f"sqlite:///{tmp_path}/x.db")
    store.append("run", [NewEvent(event_type="log", payload={"message": f"needle {n}"}) for n in range(200)])
    await fill(store)
    monkeypatch.setattr(View, "_rows", recorded)
    async with store.read() as view:
        for query in QUERIES:
            assert (await view.search_all(query, seconds=30)).hits or query.level or query.failures
    await store.aclose()
    with closing(sqlite3.connect(tmp_path / "x.db")) as database:
        add_functions(database)
        for sql, values in statements:
            steps = [str(row[3]) for row in database.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
            scanned = {found[1] for step in steps if (found := re.match(r"SCAN (?!CONSTANT ROW)(\w+)", step))}
            assert scanned <= SMALL_TABLES, f"{sql}\n{steps}"
            assert not any("ORDER BY" in step for step in steps), f"{sql}\n{steps}"
