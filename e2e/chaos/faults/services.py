"""Faults of PostgreSQL and Redis, on which several web processes rely."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import psycopg

from e2e.chaos.faults.registry import fault
from e2e.chaos.installation import ThreeProcesses
from e2e.chaos.world import World


def on_a_fleet(world: World) -> bool:
    return world.fleet is not None


def _fleet(world: World) -> ThreeProcesses:
    assert world.fleet is not None
    return world.fleet


@fault(4, 1.0, on_a_fleet)
def postgresql_killed(world: World) -> Iterator[None]:
    _fleet(world).postgres.kill()
    yield
    _fleet(world).postgres.start()


@fault(2, 0.2, on_a_fleet)
def postgresql_restarted(world: World) -> Iterator[None]:
    _fleet(world).postgres.stop()
    yield
    _fleet(world).postgres.start()


@fault(3, 0.1, on_a_fleet)
def every_connection_of_postgresql_ended(world: World) -> Iterator[None]:
    with psycopg.connect(_fleet(world).store_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    yield


@fault(3, 1.0, on_a_fleet)
def table_locked_in_postgresql(world: World) -> Iterator[None]:
    with psycopg.connect(_fleet(world).store_url) as connection:
        connection.execute("LOCK TABLE task_events IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()


@fault(2, 1.0, on_a_fleet)
def postgresql_accepts_only_reads(world: World) -> Iterator[None]:
    _read_only(world, True)
    yield
    refused = world.status("/api/tasks/read-only/events", json={"event_type": "log"})
    if refused != 503:
        world.record_error(f"an append to a database that accepts only reads was answered {refused}")
    _read_only(world, False)


def _read_only(world: World, on: bool) -> None:
    """Let all sessions, new and present ones, accept only reads, or accept writes again."""
    postgres = _fleet(world).postgres
    postgres.sql(f"ALTER SYSTEM SET default_transaction_read_only = {'on' if on else 'off'}")
    postgres.sql("SELECT pg_reload_conf()")


@fault(4, 1.0, on_a_fleet)
def redis_killed(world: World) -> Iterator[None]:
    _fleet(world).redis.kill()
    yield
    _fleet(world).redis.start()


@fault(3, 1.5, on_a_fleet)
def redis_suspended(world: World) -> Iterator[None]:
    _fleet(world).redis.suspend()
    yield
    _fleet(world).redis.resume()


@fault(3, 0.5, on_a_fleet)
def every_web_process_killed(world: World) -> Iterator[None]:
    servers = _fleet(world).servers
    for server in servers:
        server.kill()
    yield
    for server in servers:
        server.start()


@fault(2, 1.0, on_a_fleet)
def all_but_one_web_process_suspended(world: World) -> Iterator[None]:
    suspended = [server for server in _fleet(world).servers if server is not world.server]
    for server in suspended:
        os.kill(server.pid, signal.SIGSTOP)
    yield
    for server in suspended:
        os.kill(server.pid, signal.SIGCONT)
