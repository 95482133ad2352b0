"""A primary server fails and its standby takes over: a store with the addresses of both continues."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from signalbox.store import NewEvent, StoreUnavailable, open_store
from tests.support import postgres
from tests.support.log import log_of
from tests.support.postgres import PASSWORD, USER, Cluster, Standby
from tests.support.server import Server
from tests.support.session_client import SessionClient
from tests.support.shared_postgres import memory_folder
from tests.support.sse import open_stream
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(postgres.programs() is None, reason=postgres.MISSING)


class Pair(NamedTuple):
    """A primary server and its standby."""

    primary: Cluster
    standby: Standby

    @property
    def url(self) -> str:
        """Return the URL of a store on both. The standby comes first, so that it is used if it can be."""
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.standby.port},127.0.0.1:{self.primary.port}/console"

    def is_caught_up(self) -> bool:
        sent = "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()"
        return self.primary.sql(sent) == "1"

    def wait_for_the_standby(self) -> None:
        """Let each commit wait until the standby has it."""
        self.primary.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.primary.sql("SELECT pg_reload_conf()")
        wait_until(lambda: self.primary.sql("SELECT sync_state FROM pg_stat_replication") == "sync")


@pytest.fixture
def start_pair() -> Iterator[Callable[..., Pair]]:
    """Return a function that starts a primary and a standby, which gets these settings."""
    running: list[Cluster] = []

    def start(**settings: str) -> Pair:
        name = uuid.uuid4().hex
        primary = Cluster(memory_folder() / f"signalbox-primary-{name}", synchronous_commit="on")
        running.append(primary)
        primary.start().sql("CREATE DATABASE console")
        standby = Standby(primary, memory_folder() / f"signalbox-standby-{name}", **settings)
        running.append(standby)
        standby.start()
        return Pair(primary, standby)

    yield start
    for server in running:
        server.close()


def line(text: str) -> NewEvent:
    return NewEvent(event_type="tool_status", payload={"status": text}, key=text)


def texts(url: str) -> list[str]:
    store = open_store(url)
    try:
        return [event.payload["status"] for event in log_of(store, "run")]
    finally:
        store.close()


@pytest.mark.long
def test_a_failover_loses_no_acknowledged_event_and_shows_each_once(
    start_pair: Callable[..., Pair], tmp_path: Path
) -> None:
    pair = start_pair()
    pair.wait_for_the_standby()
    acknowledged: list[str] = []
    stopping = threading.Event()

    def emit(writer: int) -> None:
        store, number = open_store(pair.url), 0
        while not stopping.is_set():
            try:
                store.append("run", line(f"{writer}.{number}"))
            except StoreUnavailable:
                time.sleep(0.1)  # The same event is sent again with its key.
                continue
            acknowledged.append(f"{writer}.{number}")
            number += 1
        store.close()

    server = Server(tmp_path, store_url=pair.url).start()
    server.store.create_task("run", kind="session")
    with SessionClient(server.url, "run", since="0") as viewer:
        writers = [threading.Thread(target=emit, args=(number,)) for number in range(2)]
        for writer in writers:
            writer.start()
        wait_until(lambda: len(acknowledged) >= 40)
        pair.primary.kill()
        wait_until(lambda: server.get("/sse/health").status_code == 503)
        refused = server.get("/tasks/run")
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) > 0
        pair.standby.sql("ALTER SYSTEM RESET synchronous_standby_names")
        pair.standby.promote()
        enough = len(acknowledged) + 40
        wait_until(lambda: len(acknowledged) >= enough)
        stopping.set()
        for writer in writers:
            writer.join()
        stored = texts(pair.url)
        assert len(stored) == len(set(stored))
        assert set(acknowledged) <= set(stored)
        for number in range(2):
            mine = [text for text in stored if text.startswith(f"{number}.")]
            assert mine == [f"{number}.{event}" for event in range(len(mine))]
        wait_until(lambda: len(viewer.ids) >= len(stored))
        assert [message["data"]["status"] for message in viewer.messages] == stored
        wait_until(lambda: server.get("/sse/health").status_code == 200)
    server.close()
    assert "Traceback" not in server.log, server.log


@pytest.mark.long
def test_nothing_is_read_from_a_primary_that_goes_on_after_another_took_its_role(
    start_pair: Callable[..., Pair], tmp_path: Path
) -> None:
    pair = start_pair()
    server = Server(tmp_path, store_url=pair.url).start()
    path = "/api/tasks/run/events"
    assert server.post(path, {"event_type": "log"}).status_code == 201
    assert len(server.get(path).json()["events"]) == 1
    wait_until(pair.is_caught_up)
    pair.primary.sql("ALTER SYSTEM SET default_transaction_read_only = on")
    pair.primary.sql("SELECT pg_reload_conf()")
    pair.standby.promote()
    wait_until(lambda: server.post(path, {"event_type": "log"}).status_code == 201)
    assert len(server.get(path).json()["events"]) == 2
    with open_stream(f"{server.url}/sse/tasks/run/events", timeout=60) as stream:
        assert [next(stream).id for _ in range(3)] == [None, "1", "2"]
        assert server.post(path, {"event_type": "log"}).status_code == 201
        assert next(stream).id == "3"
    # The connections for reading, for following the log and for wake-ups.
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'signalbox'"
    wait_until(lambda: pair.primary.sql(count) == "0")
    wait_until(lambda: server.get("/api/events/health").status_code == 200)
    server.close()
    assert "Traceback" not in server.log, server.log


@pytest.mark.long
async def test_a_standby_that_lags_behind_is_not_read(start_pair: Callable[..., Pair]) -> None:
    pair = start_pair(recovery_min_apply_delay="1min")
    store = open_store(pair.url)
    for number in range(3):
        await store.aappend("run", line(str(number)))
        async with store.read() as view:
            assert (await view.head("run")).latest_seq == number + 1
    assert pair.standby.sql("SELECT count(*) FROM pg_class WHERE relname = 'tasks'", "console") == "0"
    await store.aclose()


@pytest.mark.long
def test_a_standby_alone_shows_its_state_and_is_reported(start_pair: Callable[..., Pair], tmp_path: Path) -> None:
    pair = start_pair()
    store = open_store(pair.url)
    store.append("run", line("kept"))
    store.close()
    wait_until(pair.is_caught_up)
    server = Server(tmp_path, store_url=pair.standby.url("console", password=PASSWORD)).start()
    page = server.get("/tasks/run")
    assert page.status_code == 200
    wait_until(lambda: "read_only" in server.get("/sse/health").text)
    assert server.get("/sse/health").status_code == 503
    refused = server.post("/api/tasks/run/events", {"event_type": "log"})
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    pair.primary.kill()
    pair.standby.promote()
    wait_until(lambda: server.get("/sse/health").status_code == 200)
    assert server.post("/api/tasks/run/events", {"event_type": "log"}).status_code == 201
    server.close()
    assert "Traceback" not in server.log, server.log


@pytest.mark.long
def test_commits_that_wait_for_an_unreachable_standby_are_stored_once(start_pair: Callable[..., Pair]) -> None:
    pair = start_pair()
    pair.wait_for_the_standby()
    store = open_store(pair.primary.url("console", password=PASSWORD))
    store.append("run", line("before"))
    pair.standby.suspend()
    appending = threading.Thread(target=store.append, args=("run", line("waiting")))
    appending.start()
    time.sleep(0.5)
    assert appending.is_alive()
    pair.standby.resume()
    appending.join(60)
    store.append("run", line("waiting"))
    store.close()
    assert texts(pair.url) == ["before", "waiting"]
