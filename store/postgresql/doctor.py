"""The checks of `signalbox doctor` for a PostgreSQL database and its server. They change nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from typing import Any

import psycopg

from signalbox.store.errors import SchemaTooNew, StoreError
from signalbox.store.postgresql.connection import Address
from signalbox.store.postgresql.database import with_driver_placeholders
from signalbox.store.postgresql.dialect import POSTGRESQL
from signalbox.store.postgresql.errors import translated
from signalbox.store.postgresql.migrations import applied, known, unknown_migrations
from signalbox.store.postgresql.schema_parts import indexes, tables
from signalbox.store.sql.findings import MAX_FINDINGS, Finding, Query, compare_tasks
from signalbox.store.sql.removal import PRESENT

MAX_CLOCK_DIFFERENCE = 5.0
"""Seconds between the clock of the server and that of this machine."""

LONG_TRANSACTION = 300
"""Seconds after which an open transaction is reported."""

FEW_CONNECTIONS = 12
"""Free connections that one more web process needs."""

PART = 2000
"""Rows that are read from the server at a time."""

RESTORE = "stop every process that uses it, keep a copy, and restore a backup"
_GRANT = "connect as the user that owns the tables, or grant these rights to this user"

Connection = psycopg.Connection[Any]


def server_of(url: str) -> str | None:
    """Return the version and the connections of the server in words, or None if it cannot be reached."""
    try:
        connection = Address(url).connect()
    except StoreError:
        return None
    with closing(connection):
        version = _one(connection, "SHOW server_version")
        here = _one(connection, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()") - 1
        return f"PostgreSQL {version}, {here} other connections to this database"


def with_query(url: str, check: Callable[[Query], Iterator[Finding]]) -> Iterator[Finding]:
    """Yield the findings of a check that reads the database at `url`. Yields none if it cannot be read."""
    with suppress(StoreError, psycopg.Error), closing(Address(url).connect()) as connection:
        yield from check(
            lambda sql, values: connection.execute(with_driver_placeholders(sql).encode(), values).fetchall()
        )


def examine(url: str) -> Iterator[Finding]:
    """Yield the faults of the database at `url` and of its server as they are found."""
    try:
        connection = Address(url).connect()
    except StoreError as error:
        yield Finding("unreachable", str(error), "check the URL, the server, and its pg_hba.conf")
        return
    with closing(connection):
        for check in (_encoding, _clock, _connections, _long_transactions):
            yield from _safely(check, connection)
        try:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield from _schema(connection)
        except psycopg.Error as error:
            yield Finding("damaged", f"the database cannot be read: {translated(error)}", RESTORE)


def _safely(check: Callable[[Connection], Iterator[Finding]], connection: Connection) -> Iterator[Finding]:
    """Yield the findings of a check, and one finding more if the check could not be completed."""
    try:
        with connection.transaction():
            yield from check(connection)
    except psycopg.errors.InsufficientPrivilege as error:
        yield Finding("rights", f"a check could not be completed: {translated(error)}", _GRANT)
    except psycopg.Error as error:
        yield Finding("damaged", f"a check could not be completed: {translated(error)}", RESTORE)


def _schema(connection: Connection) -> Iterator[Finding]:
    applied_names, known_names = applied(connection), {name for name, _ in known()}
    if not applied_names:
        advice = "check the URL and its search_path; a database that is empty gets its tables from the first program"
        yield Finding("foreign", "it is not a Signalbox database", advice)
        return
    try:
        unknown_migrations(connection)
    except SchemaTooNew as error:
        yield Finding("too_new", str(error), "upgrade Signalbox")
        return
    if missing := sorted(known_names - applied_names):
        advice = "start the server once: it migrates"
        yield Finding("old", f"it was written by an older Signalbox: {', '.join(missing)}", advice)
        return
    lacking = list(_safely(_rights, connection))
    yield from lacking
    if lacking:
        return
    for check in (_missing_indexes, _orphaned_rows, _counters, _projections):
        yield from _safely(check, connection)


# the server


def _encoding(connection: Connection) -> Iterator[Finding]:
    name = _one(connection, "SHOW server_encoding")
    if name != "UTF8":
        advice = "create the database with --encoding UTF8 --template template0, and restore a dump into it"
        yield Finding("encoding", f"the encoding of the database is {name}, which lacks characters", advice)


def _clock(connection: Connection) -> Iterator[Finding]:
    before = datetime.now(UTC)
    there = _one(connection, "SELECT clock_timestamp()")
    after = datetime.now(UTC)
    difference = (there - before).total_seconds() if there < before else (there - after).total_seconds()
    if abs(difference) > MAX_CLOCK_DIFFERENCE and not before <= there <= after:
        order = "ahead of" if difference > 0 else "behind"
        yield Finding(
            "clock",
            f"the clock of the server is {abs(difference):.0f} s {order} the clock of this machine",
            "synchronise both clocks; times of events are those of the server",
        )


def _connections(connection: Connection) -> Iterator[Finding]:
    used, allowed = connection.execute(
        "SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),"
        " current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
    ).fetchone() or (0, 0)
    if used + FEW_CONNECTIONS > allowed:
        yield Finding(
            "connections",
            f"{used} of {allowed} connections of the server are in use; a web process needs up to {FEW_CONNECTIONS}",
            "raise max_connections, or end programs that hold connections",
        )


def _long_transactions(connection: Connection) -> Iterator[Finding]:
    rows = connection.execute(
        "SELECT pid, coalesce(usename, ''), coalesce(application_name, ''), coalesce(state, ''),"
        " extract(epoch FROM clock_timestamp() - xact_start)::int FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        " AND xact_start < clock_timestamp() - make_interval(secs => %s) ORDER BY xact_start LIMIT %s",
        (LONG_TRANSACTION, MAX_FINDINGS),
    ).fetchall()
    for pid, user, program, state, seconds in rows:
        yield Finding(
            "long_transaction",
            f"process {pid} of the server ({program or 'unnamed'}, user {user}, {state or 'state not shown'})"
            f" has had a transaction open for {seconds} s",
            f"it keeps old rows from being removed; end it with SELECT pg_terminate_backend({pid}) if nothing needs it",
        )


# the database


def _rights(connection: Connection) -> Iterator[Finding]:
    names = sorted(tables())
    rows = connection.execute(
        "SELECT name FROM unnest(%s::text[]) AS name WHERE NOT coalesce(has_table_privilege(to_regclass(name),"
        " 'SELECT') AND has_table_privilege(to_regclass(name), 'INSERT') AND has_table_privilege(to_regclass(name),"
        " 'UPDATE') AND has_table_privilege(to_regclass(name), 'DELETE'), FALSE)",
        (names,),
    ).fetchall()
    if rows:
        lacking = ", ".join(name for (name,) in rows)
        yield Finding("rights", f"the user lacks rights on {lacking}, or they do not exist", _GRANT)


def _missing_indexes(connection: Connection) -> Iterator[Finding]:
    rows = connection.execute(
        "SELECT name, index.indisvalid FROM unnest(%s::text[]) AS name"
        " LEFT JOIN pg_index AS index ON index.indexrelid = to_regclass(name) WHERE index.indisvalid IS NOT TRUE",
        (sorted(indexes()),),
    ).fetchall()
    for name, valid in rows:
        fault = "is missing" if valid is None else "is not valid"
        advice = "create it as in the schema of Signalbox, or restore a backup; with REINDEX, if it is not valid"
        yield Finding("no_index", f"the index {name} {fault}, so some pages are slow", advice)


_NOT_OF_TASKS = ("task_audits", "task_removals")
"""Tables whose rows may belong to deleted tasks."""


def _orphaned_rows(connection: Connection) -> Iterator[Finding]:
    advice = "they are not shown anywhere; delete them after a backup"
    for table in sorted(name for name in tables() if name.startswith("task_") and name not in _NOT_OF_TASKS):
        rows = connection.execute(
            f"SELECT task_id, count(*) FROM {table} AS rows WHERE NOT EXISTS"
            f" (SELECT 1 FROM tasks WHERE tasks.task_id = rows.task_id) AND {PRESENT} GROUP BY task_id"
            " ORDER BY task_id LIMIT %s",
            (MAX_FINDINGS,),
        ).fetchall()
        for task_id, count in rows:
            yield Finding("loose_row", f"{count} rows of {table} belong to the missing task {task_id}", advice)


def _counters(connection: Connection) -> Iterator[Finding]:
    rows = connection.execute(
        "SELECT task_id, last_seq, n, first, last FROM tasks LEFT JOIN (SELECT task_id, count(*) AS n,"
        " min(seq) AS first, max(seq) AS last FROM task_events GROUP BY task_id) AS log USING (task_id)"
        " WHERE cold IS NULL AND (last_seq <> coalesce(last, 0) OR n <> last - first + 1) ORDER BY task_id LIMIT %s",
        (MAX_FINDINGS,),
    ).fetchall()
    for task_id, counter, events, first, last in rows:
        log = f"{events} events, #{first} to #{last}" if events else "no events"
        yield Finding("counter", f"task {task_id}: the counter is {counter}, but the log has {log}", RESTORE)
    last_id, counted = connection.execute(
        "SELECT (SELECT coalesce(max(event_id), 0) FROM task_events), (SELECT max(last_event_id) FROM log_position)"
    ).fetchone() or (0, 0)
    if counted is None or last_id > counted:
        yield Finding("counter", f"the last event id is {last_id}, but the position of the log is {counted}", RESTORE)


def _projections(connection: Connection) -> Iterator[Finding]:
    numbers = itertools.count()

    def query(sql: str, values: tuple[object, ...]) -> Iterator[Any]:
        # A cursor of the server: a log may be larger than the memory of this machine.
        # After an error, the savepoint lets the next query run.
        with connection.transaction(), connection.cursor(name=f"doctor_{next(numbers)}") as cursor:
            cursor.itersize = PART
            yield from cursor.execute(with_driver_placeholders(sql), values)

    yield from compare_tasks(query, POSTGRESQL, psycopg.InternalError, RESTORE)


def _one(connection: Connection, sql: str) -> Any:
    row = connection.execute(sql.encode()).fetchone()
    assert row is not None, "the query returns one row"
    return row[0]
