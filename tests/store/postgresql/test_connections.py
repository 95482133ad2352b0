"""The number of connections of a server does not depend on the number of its viewers."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from signalbox.store import UnknownStoreKind, open_store
from tests.support import postgres
from tests.support.server import Server
from tests.support.sse import open_stream
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(postgres.programs() is None, reason=postgres.MISSING)

STREAMS = 20


def connections_to(url: str) -> int:
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    assert found is not None
    return int(found[0])


def test_a_store_that_is_refused_because_of_its_bus_holds_no_connection(url: str) -> None:
    # The error keeps the frames that raised it, and with them the store.
    with pytest.raises(UnknownStoreKind, match="bus") as refused:
        open_store(url, bus="amqp://host")
    wait_until(lambda: connections_to(url) == 0)
    assert refused.value.__traceback__ is not None


def test_streams_hold_no_connections(url: str, tmp_path: Path) -> None:
    server = Server(tmp_path, store_url=url).start()
    try:
        server.emit("run", "one")
        with ExitStack() as stack:
            address = f"{server.url}/sse/tasks/run/events"
            streams = [stack.enter_context(open_stream(address, timeout=60)) for _ in range(STREAMS)]
            for stream in streams:
                assert [next(stream).id for _ in range(2)] == [None, "1"]
            server.emit("run", "two")
            assert [next(stream).id for stream in streams] == ["2"] * STREAMS
            # At most 12 belong to the server and 2 to this process, which appends.
            assert connections_to(url) <= 14
    finally:
        server.close()
