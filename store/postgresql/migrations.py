"""The migrations: one SQL file each in `schema/`, applied in the order of their names.

The table `migrations` records the name of each applied migration, and from which version on programs can work with it
(`store/sql/compatibility.py`), in the same transaction as the migration. An advisory lock makes processes that start
together wait for the first one.
"""

from __future__ import annotations

import logging
import secrets
from functools import cache
from importlib.resources import files

import psycopg

from signalbox.store.events import new_id
from signalbox.store.postgresql.write_lock import WRITE_LOCK
from signalbox.store.sql.compatibility import check_applied, compatible_from
from signalbox.store.sql.moved import FACTS

log = logging.getLogger("signalbox.store")

MIGRATION_LOCK = WRITE_LOCK + 1

NO_LIMITS = (
    "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
)
"""An index of a large table takes longer than most limits of a role. A migration that a limit ended would fail again at
each start, and so would every process that waits for another one's migration."""

_TIMELINE = (
    "CASE WHEN pg_is_in_recovery() THEN (SELECT to_hex(timeline_id) FROM pg_control_checkpoint())"
    " ELSE ltrim(substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), '0') END"
)
_IDENTITY = (
    "SELECT system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = current_database())"
    f" || '/' || 'log_position'::regclass::oid || '/' || lower({_TIMELINE}) FROM pg_control_system()"
)
"""Identifies this copy of the tables. A dump that is restored anywhere gives another value, and so does a server that
was recovered to an earlier time or that was a standby before: then PostgreSQL starts another timeline."""


def known() -> list[tuple[str, str]]:
    """Return all migrations as (name, SQL), in order."""
    return list(_scripts())


@cache
def _scripts() -> tuple[tuple[str, str], ...]:
    scripts = [
        entry
        for entry in files("signalbox.store.postgresql").joinpath("schema").iterdir()
        if entry.name.endswith(".sql")
    ]
    return tuple((script.name[:-4], script.read_text()) for script in sorted(scripts, key=lambda s: s.name))


def migrate(connection: psycopg.Connection) -> None:
    """Migrate the database to the newest schema. Several processes may do this at the same time.

    Raises SchemaTooNew if the database holds a migration that this version does not know and that is not marked as
    compatible with it.
    """
    steps = known()
    if unknown := unknown_migrations(connection):
        log.info("a newer Signalbox, with which this one is compatible, has migrated the database: %s", sorted(unknown))
    # Check before taking the lock: opening an up-to-date database must not wait for another process.
    for name, script in steps:
        if name not in applied(connection):
            _apply(connection, name, script)


def unknown_migrations(connection: psycopg.Connection) -> set[str]:
    """Return the applied migrations that this version does not know but is compatible with. Raises SchemaTooNew."""
    return set(check_applied(applied(connection), {name for name, _ in known()}, _marks(connection)))


def _apply(connection: psycopg.Connection, name: str, script: str) -> None:
    with connection.transaction():
        connection.execute(NO_LIMITS)
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
        connection.execute(
            'CREATE TABLE IF NOT EXISTS migrations (name text COLLATE "C" PRIMARY KEY, applied_at text NOT NULL)'
        )
        connection.execute(
            'CREATE TABLE IF NOT EXISTS migration_marks (name text COLLATE "C" PRIMARY KEY, compatible_from text)'
        )
        if name not in applied(connection):
            # Without values the driver sends the whole script at once.
            connection.execute(script)
            connection.execute("INSERT INTO migrations VALUES (%s, clock_timestamp()::text)", (name,))
            connection.execute(
                "INSERT INTO migration_marks VALUES (%s, %s)"
                " ON CONFLICT (name) DO UPDATE SET compatible_from = excluded.compatible_from",
                (name, compatible_from(script)),
            )


def applied(connection: psycopg.Connection) -> set[str]:
    """Return the names of the applied migrations. The set is empty if Signalbox did not create the database."""
    if not _has_table(connection, "migrations"):
        return set()
    return {str(name) for (name,) in connection.execute("SELECT name FROM migrations")}


def _marks(connection: psycopg.Connection) -> dict[str, str | None]:
    if not _has_table(connection, "migration_marks"):
        return {}
    return dict(connection.execute("SELECT name, compatible_from FROM migration_marks").fetchall())


def _has_table(connection: psycopg.Connection, name: str) -> bool:
    return connection.execute("SELECT to_regclass(%s) IS NOT NULL", (name,)).fetchone() == (True,)


def facts_of(connection: psycopg.Connection) -> dict[str, str]:
    """Return the epoch and the key of a database. Missing ones are created.

    The database gets a new epoch if it is a copy: it may lack events that readers of the original have seen.
    """
    identity = identity_of(connection)
    facts = facts_in(connection)
    if {"epoch", "key"} <= facts.keys() and facts.get("identity") == identity:
        return facts
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (WRITE_LOCK,))
        facts = facts_in(connection)
        if facts.get("identity") != identity or "epoch" not in facts:
            facts |= {"epoch": new_id(), "identity": identity}
        facts.setdefault("key", secrets.token_hex(32))
        for name in ("epoch", "key", "identity"):
            connection.execute(
                "INSERT INTO store_facts VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (name, facts[name]),
            )
    return facts


def identity_of(connection: psycopg.Connection) -> str:
    """Return a text that identifies this copy of the tables. The database must be migrated."""
    row = connection.execute(_IDENTITY).fetchone()
    return str(row[0]) if row else ""


def facts_in(connection: psycopg.Connection) -> dict[str, str]:
    """Return the facts that a store reads when it opens a database. Empty if Signalbox did not create the database."""
    if not applied(connection):
        return {}
    names = [*FACTS, "identity"]
    found = connection.execute("SELECT name, value FROM store_facts WHERE name = ANY(%s)", (names,))
    return {str(name): str(value) for name, value in found}
