"""Numbered migrations: the files in `schema/`, applied in the order of their names.

The table `migrations` records the name of each applied migration, and from which version on programs can work with it:
see `store/sql/compatibility.py`.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from functools import cache
from importlib.resources import files

from signalbox.store.errors import StoreDamaged
from signalbox.store.sql.compatibility import check_applied, compatible_from
from signalbox.store.sqlite.damaged import is_damage
from signalbox.store.sqlite.extended import left_out as left_out_of_extended
from signalbox.store.sqlite.kept_copy import keep_copy
from signalbox.store.terminal_escapes import plain_json
from signalbox.store.times import now

log = logging.getLogger("signalbox.store")

RENAMED = {"011_plain": "012_plain", "018_happened": "018_occurred_index"}
"""Maps the names that earlier versions recorded to the present ones.

Two migrations had the number 011. 018_happened made another index, which 034_compressed replaces.
"""

_INDEX = re.compile(r"^(?:CREATE|DROP) INDEX (?:IF (?:NOT )?EXISTS )?(\w+)", re.MULTILINE)
"""Matches statements on indexes that are not unique, so they only make queries faster."""

NOT_MIGRATED = (
    "the database was written by an older Signalbox, and a part of it that the migration needs is damaged;"
    " nothing was changed, so that version can still open it; `signalbox doctor` says what to do"
)


def known() -> list[tuple[str, str]]:
    """Return all migrations as (name, SQL), in order."""
    return list(_scripts())


@cache
def _scripts() -> tuple[tuple[str, str], ...]:
    scripts = [
        entry for entry in files("signalbox.store.sqlite").joinpath("schema").iterdir() if entry.name.endswith(".sql")
    ]
    return tuple((script.name[:-4], script.read_text()) for script in sorted(scripts, key=lambda s: s.name))


def migrate(connection: sqlite3.Connection, *, keep: bool = True) -> None:
    """Migrate the database to the newest schema. Several processes may do this at the same time.

    All missing migrations are one transaction, so that a database that cannot be migrated stays as it is, and the
    version that wrote it can still open it. With `keep` a copy of a database with content is kept first: see
    `kept_copy`.

    Raises SchemaTooNew if the database holds a migration that this version does not know and that is not marked as
    compatible with it, and StoreDamaged if a migration needs a damaged part of the database. Damage that only concerns
    an index is no error.
    """
    # Check before taking the write lock: opening an up-to-date database must not wait for another process's write.
    if not _missing(connection):
        return
    # Rows whose task was lost to earlier damage must not stop the migration.
    connection.execute("PRAGMA foreign_keys = OFF")
    left_out: set[str] = set()
    try:
        # SQLite refuses to write after damage until the transaction ends, so begin again without the failed statement.
        while failed := _failed_index(connection, left_out, keep):
            left_out.add(failed)
    finally:
        connection.execute("PRAGMA foreign_keys = ON")


def _failed_index(connection: sqlite3.Connection, left_out: set[str], keep: bool) -> str | None:
    """Migrate without the statements `left_out`. Return the statement on an index that failed because of damage."""
    statement = ""
    connection.execute("BEGIN IMMEDIATE")
    try:
        missing = _missing(connection)
        if keep and missing and applied(connection):
            keep_copy(connection, missing[0][0])
        connection.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, applied_at TEXT NOT NULL)")
        connection.execute("CREATE TABLE IF NOT EXISTS migration_marks (name TEXT PRIMARY KEY, compatible_from TEXT)")
        extended = _statements(dict(known())["009_finite"])
        for statement in left_out_of_extended(connection, applied(connection), extended):
            if statement not in left_out:
                connection.execute(statement)
        for name, script in missing:
            for statement in _statements(script):
                if statement not in left_out:
                    connection.execute(statement)
            statement = ""
            connection.execute("INSERT INTO migrations VALUES (?, ?)", (name, now()))
            connection.execute("INSERT OR REPLACE INTO migration_marks VALUES (?, ?)", (name, compatible_from(script)))
        # Opening the database reads this table next.
        connection.execute("SELECT name, value FROM store_facts").fetchall()
        connection.execute("COMMIT")
        return None
    except BaseException as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if not isinstance(error, sqlite3.DatabaseError) or not is_damage(error):
            raise
        if (index := _INDEX.search(statement)) is None:
            raise StoreDamaged(f"{NOT_MIGRATED} ({error})") from error
        log.warning("the index %s was left as it is, because the database is damaged: %s", index[1], error)
        return statement


def _missing(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return the migrations that are not applied yet. Raises SchemaTooNew."""
    if unknown := unknown_migrations(connection):
        log.info("a newer Signalbox, with which this one is compatible, has migrated the database: %s", sorted(unknown))
    found = applied(connection)
    return [step for step in known() if step[0] not in found]


def empty_database() -> sqlite3.Connection:
    """Return a database in memory with the newest schema."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.create_function("plain_json", 1, plain_json, deterministic=True)
    migrate(connection)
    return connection


def applied(connection: sqlite3.Connection) -> set[str]:
    """Return the names of the applied migrations. The set is empty if Signalbox did not create the database."""
    if not _has_table(connection, "migrations"):
        return set()
    return {RENAMED.get(name, name) for (name,) in connection.execute("SELECT name FROM migrations")}


def unknown_migrations(connection: sqlite3.Connection) -> set[str]:
    """Return the applied migrations that this version does not know.

    Raises SchemaTooNew if it cannot work with the schema.
    """
    marks = {}
    if _has_table(connection, "migration_marks"):
        marks = dict(connection.execute("SELECT name, compatible_from FROM migration_marks"))
    return check_applied(applied(connection), {name for name, _ in known()}, marks)


def _has_table(connection: sqlite3.Connection, name: str) -> bool:
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,))
    return found.fetchone() is not None


def _statements(script: str) -> list[str]:
    # Not `executescript`: it commits the open transaction first.
    statements, pending = [], ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    return statements
