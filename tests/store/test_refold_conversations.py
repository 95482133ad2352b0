"""Test that a database of an earlier version gets the tokens and conversations of its newest tasks."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from signalbox.store import open_store
from tests.store.contract.test_conversation import ENTRIES, LOG, read
from tests.store.test_projections import stored_state


def as_before(path: Path) -> None:
    """Make the database one of the version before the migration 021."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DELETE FROM migrations WHERE name = '021_conversation'")
        db.execute("DROP TABLE task_conversation")
        db.execute("UPDATE task_events SET quiet = 1 WHERE event_type = 'log'")
        db.execute("UPDATE tasks SET state = json_remove(state, '$.usage', '$.tally', '$.conversation_seq')")
        db.execute("UPDATE task_spans SET state = json_remove(state, '$.usage', '$.tally', '$.model')")


async def test_the_newest_tasks_are_folded_again(tmp_path: Path) -> None:
    path = tmp_path / "signalbox.db"
    store = open_store(f"sqlite:///{path}")
    store.append("t", LOG)
    before = await stored_state(store, "t")
    await store.aclose()
    as_before(path)
    store = open_store(f"sqlite:///{path}")
    assert await stored_state(store, "t") == before
    assert await read(store, "t") == ENTRIES
    async with store.read() as view:
        assert [event.seq for event in await view.changing_events("t", 2, 9, 10)] == [4, 5, 6, 7, 8]
    await store.aclose()
