"""Web processes while the database or the bus fails: they say so, refuse requests, and continue by themselves."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg
import pytest

from signalbox.store import NewEvent
from tests.support import faketime, postgres
from tests.support.daemon import free_port
from tests.support.people import time_from_now, token, wait_until_guarded
from tests.support.postgres import Cluster
from tests.support.redis import RedisServer
from tests.support.server import Server
from tests.support.sse import open_stream
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(postgres.programs() is None, reason=postgres.MISSING)

EVENT = {"event_type": "log", "payload": {"message": "hello"}}


def check_refusal(response: httpx.Response) -> None:
    assert response.status_code == 503, response.text
    assert int(response.headers["Retry-After"]) > 0


def problems(server: Server) -> set[str]:
    return {problem["code"] for problem in server.get("/sse/health").json()["problems"]}


@pytest.mark.long
def test_a_server_without_its_database_refuses_and_continues_later(
    cluster: Cluster, url: str, start_server: Callable[..., Server]
) -> None:
    server = start_server(store_url=url)
    server.emit("run", "one")
    with open_stream(f"{server.url}/sse/tasks/run/events") as stream:
        next(stream)
        cluster.stop()
        try:
            assert any("reconnect" in (message.event or "") for message in stream)
            for path in ("/tasks", "/tasks/run", "/api/tasks/run", "/sse/tasks/run/events"):
                check_refusal(server.get(path, timeout=60))
            check_refusal(server.post("/api/tasks/run/events", EVENT, timeout=60))
            wait_until(lambda: {"store_lost", "store_unavailable"} <= problems(server))
        finally:
            cluster.start()
    wait_until(lambda: server.get("/sse/health").status_code == 200)
    assert server.post("/api/tasks/run/events", EVENT).json()["seq"] == 2
    assert server.get("/tasks/run").status_code == 200


@pytest.mark.long
def test_a_suspended_database_ends_streams_and_is_reported(
    cluster: Cluster, url: str, start_server: Callable[..., Server]
) -> None:
    server = start_server(store_url=url)
    server.emit("run", "one")
    with open_stream(f"{server.url}/sse/tasks/run/events", timeout=60) as stream:
        next(stream)
        cluster.suspend()
        try:
            assert server.get("/api/events/health", timeout=60).status_code == 503
            assert any("reconnect" in (message.event or "") for message in stream)
            check_refusal(server.get("/tasks", timeout=60))
        finally:
            cluster.resume()
    wait_until(lambda: server.get("/sse/health").status_code == 200)


@pytest.mark.long
def test_a_database_that_accepts_only_reads_is_shown_and_reported(
    url: str, start_server: Callable[..., Server]
) -> None:
    server = start_server(store_url=url)
    server.emit("run", "kept")
    name = url.rpartition("/")[2]
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
        connection.execute(others, (name,))
        wait_until(lambda: "read_only" in problems(server))
        assert server.get("/sse/health").status_code == 503
        assert "kept" in server.get("/tasks/run").text
        check_refusal(server.post("/api/tasks/run/events", EVENT))
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only".encode())
        connection.execute(others, (name,))
    wait_until(lambda: server.get("/sse/health").status_code == 200)
    assert server.post("/api/tasks/run/events", EVENT).status_code == 201


def test_too_few_connections_delay_or_refuse_requests_and_lose_nothing(
    cluster: Cluster, start_server: Callable[..., Server]
) -> None:
    user = f"few_{uuid.uuid4().hex[:8]}"
    cluster.sql(f"CREATE USER {user} PASSWORD 'secret' CONNECTION LIMIT 5")
    cluster.sql(f"CREATE DATABASE {user} OWNER {user}")
    server = start_server(store_url=cluster.url(user, user=user, password="secret"))
    assert server.post("/api/tasks/run/events", EVENT).status_code == 201
    with ThreadPoolExecutor(12) as threads:
        pages = list(threads.map(lambda _: server.get("/tasks/run", timeout=60), range(24)))
        posts = list(threads.map(lambda _: server.post("/api/tasks/run/events", EVENT, timeout=60), range(24)))
    assert {page.status_code for page in pages} <= {200, 503}
    assert any(page.status_code == 200 for page in pages)
    for response in (*pages, *posts):
        if response.status_code == 503:
            check_refusal(response)
    stored = sum(post.status_code == 201 for post in posts) + 1
    wait_until(lambda: server.get("/api/tasks/run").json().get("latest_seq") == stored)


@pytest.mark.long
def test_a_clock_that_is_five_minutes_off_ends_no_right_and_no_request_early(
    url: str, start_server: Callable[..., Server]
) -> None:
    library = faketime.library() or pytest.skip("libfaketime is not installed here")
    variables = {"LD_PRELOAD": str(library), "FAKETIME": "+300s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    server = start_server(store_url=url, heartbeat_timeout=8, variables=variables)
    server.store.create_task("run")
    headers = token(server.store, "short", seconds=120)
    for request_id, seconds in (("later", 120), ("soon", 2)):
        asked = {"request_id": request_id, "tool_name": "rm", "expires_at": time_from_now(seconds)}
        server.emit("run", NewEvent(event_type="permission_request", payload=asked))
    wait_until_guarded(server)
    assert server.get("/api/tasks/run", headers=headers).status_code == 200
    sent = server.post("/api/tasks/run/events", EVENT, headers=headers).json()
    assert sent["created_at"] < time_from_now(60)
    # The supervisor closes a request when it expires by the clock of the database, and not five minutes before.
    path = "/api/tasks/run"
    wait_until(lambda: server.get(path, headers=headers).json()["permissions_open"] == 1)
    assert server.get("/api/sse/health/run", headers=headers).json()["request_id"] == "later"


@pytest.mark.parametrize("password", ["", "wr0ng"])
def test_a_bus_that_refuses_the_password_is_a_warning_without_the_password(
    url: str, start_server: Callable[..., Server], tmp_path: Path, password: str
) -> None:
    redis = RedisServer(tmp_path / "redis", "--requirepass", "s3cret").start()
    try:
        server = start_server(store_url=url, bus_url=f"redis://:{password}@127.0.0.1:{redis.port}")
        wait_until(lambda: "bus_unavailable" in server.get("/sse/health").text)
        assert server.get("/sse/health").status_code == 200
        server.emit("run", "one")
        with open_stream(f"{server.url}/sse/tasks/run/events") as stream:
            assert any(message.id == "1" for message in stream)
            server.emit("run", "two")
            assert any(message.id == "2" for message in stream)
        wait_until(lambda: "uthenticat" in server.log or "password" in server.log)
        assert "wr0ng" not in server.log + server.get("/sse/health").text
    finally:
        redis.kill()


def test_a_bus_that_is_unreachable_at_the_start_is_a_warning(url: str, start_server: Callable[..., Server]) -> None:
    server = start_server(store_url=url, bus_url=f"redis://127.0.0.1:{free_port()}")
    wait_until(lambda: "bus_unavailable" in server.get("/sse/health").text)
    assert server.post("/api/tasks/run/events", EVENT).status_code == 201
