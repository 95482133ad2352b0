"""A database that is restored while a server uses it: streams and pages of the server start over."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests.support import postgres
from tests.support.server import Server
from tests.support.shared_postgres import create_database
from tests.support.sse import open_stream
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(postgres.programs() is None, reason=postgres.MISSING)


@pytest.mark.long
def test_streams_start_over_when_the_database_is_restored(tmp_path: Path) -> None:
    url = create_database()
    server = Server(tmp_path, store_url=url).start()
    try:
        server.emit("run", "one", "two", "three")
        address = f"{server.url}/sse/tasks/run/events"
        with open_stream(address, timeout=60) as stream:
            assert [next(stream).id for _ in range(4)] == [None, "1", "2", "3"]
            restore(url)
            # The stream ends with the old history, either as a reset or to make the client come back.
            assert [message.event for message in stream][-1] in ("reset", "reconnect")
        wait_until(lambda: "the database was replaced" in server.log)
        wait_until(lambda: server.get("/api/events/health").status_code == 200)
        with open_stream(address, timeout=60, headers={"Last-Event-ID": "3"}) as stream:
            assert "reset" in [message.event for message in stream]
        assert server.post("/api/tasks/run/events", {"event_type": "log", "payload": {}}).status_code == 201
        with open_stream(address, timeout=60) as stream:
            assert [next(stream).id for _ in range(3)] == [None, "1", "2"]
    finally:
        server.close()
    assert "Traceback" not in server.log, server.log


def restore(url: str) -> None:
    """Give the database the content of an older backup, and a new epoch, as the docs say. Ends all connections."""
    with psycopg.connect(url, autocommit=True) as connection:
        with connection.transaction():
            connection.execute("DELETE FROM task_events WHERE seq > 1")
            older = """replace(state, '"latest_seq":3', '"latest_seq":1')"""
            connection.execute(f"UPDATE tasks SET last_seq = 1, state = {older}")
            connection.execute("UPDATE log_position SET last_event_id = 2")
            connection.execute("DELETE FROM store_facts WHERE name = 'epoch'")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
