"""PostgreSQL compresses long payloads by itself, with the method that it reads fastest."""

from __future__ import annotations

import psycopg

from signalbox.store import NewEvent, open_store
from tests.support.shared_postgres import create_database


def test_long_payloads_are_compressed_with_lz4() -> None:
    url = create_database()
    store = open_store(url)
    (event,) = store.append("t", NewEvent(event_type="tool_result", payload={"text": "\x1b[1mword\x1b[0m " * 3000}))
    store.close()
    with psycopg.connect(url) as connection:
        methods = connection.execute(
            "SELECT pg_column_compression(payload), pg_column_compression(plain), pg_column_size(payload)"
            " FROM task_events"
        ).fetchone()
    assert methods is not None
    assert methods[:2] == ("lz4", "lz4")
    assert methods[2] < len(event.payload_json) / 10
