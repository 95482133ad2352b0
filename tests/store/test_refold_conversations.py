"""Test that a database of an earlier version gets the tokens and conversations of its newest tasks."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from signalbox.store import open_store
from tests.store.contract.test_conversation import ENTRIES, LOG, read
from tests.store.test_projections import stored_state
from tests.support.shared_postgres import create_database


def as_before(path: Path) -> None:
    """Make the database one of the version before the migration 021."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DELETE FROM migrations WHERE name = '021_conversation'")
        db.execute("DROP TABLE task_conversation")
        db.execute("UPDATE task_events SET quiet = 1 WHERE event_type = 'log'")
        db.execute("UPDATE tasks SET state = json_remove(state, '$.usage', '$.tally', '$.conversation_seq')")
        db.execute("UPDATE task_spans SET state = json_remove(state, '$.usage', '$.tally', '$.model')")


def as_before_on_postgresql(url: str) -> None:
    """Do the same to a database before the migration 019."""
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("DELETE FROM migrations WHERE name = '019_tasks_to_fold'")
        db.execute("DROP TABLE tasks_to_fold")
        db.execute("DELETE FROM task_conversation")
        db.execute("UPDATE task_events SET quiet = 1 WHERE event_type = 'log'")
        names = "'{usage,tally,conversation_seq}'"
        db.execute(f"UPDATE tasks SET state = (state::jsonb - {names}::text[])::text")
        db.execute("UPDATE task_spans SET state = (state::jsonb - '{usage,tally,model}'::text[])::text")


@pytest.mark.programs
async def test_the_newest_tasks_are_folded_again_on_postgresql() -> None:
    url = create_database()
    store = open_store(url)
    await store.aappend("t", LOG)
    before = await stored_state(store, "t")
    await store.aclose()
    as_before_on_postgresql(url)
    for _ in range(2):
        store = open_store(url)
        assert await stored_state(store, "t") == before
        assert await read(store, "t") == ENTRIES
        await store.aclose()


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
