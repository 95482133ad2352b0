"""Numbered migrations: the files in `schema/`, applied in the order of their names.

The table `migrations` records the name of each applied migration.
"""

from __future__ import annotations

import sqlite3
from importlib.resources import files

from signalbox.store.errors import SchemaTooNew, StoreDamaged
from signalbox.store.sqlite.damaged import is_damage
from signalbox.store.times import now

RENAMED = {"011_plain": "012_plain"}
"""Maps the names that earlier versions recorded to the present ones. Two migrations had the number 011."""

NOT_MIGRATED = (
    "the database was written by an older Signalbox, and a part of it that the migration needs is damaged;"
    " nothing was changed, so that version can still open it; `signalbox doctor` says what to do"
)


def known() -> list[tuple[str, str]]:
    """Return all migrations as (name, SQL), in order."""
    scripts = [
        entry for entry in files("signalbox.store.sqlite").joinpath("schema").iterdir() if entry.name.endswith(".sql")
    ]
    return [(script.name[:-4], script.read_text()) for script in sorted(scripts, key=lambda s: s.name)]


def migrate(connection: sqlite3.Connection) -> None:
    """Migrate the database to the newest schema. Several processes may do this at the same time.

    All missing migrations are one transaction, so that a database that cannot be migrated stays as it is, and the
    version that wrote it can still open it.

    Raises SchemaTooNew if the database holds a migration that this version does not know, and StoreDamaged if a
    migration needs a damaged part of the database.
    """
    # Check before taking the write lock: opening an up-to-date database must not wait for another process's write.
    if not _missing(connection):
        return
    # Rows whose task was lost to earlier damage must not stop the migration.
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, applied_at TEXT NOT NULL)")
        for name, script in _missing(connection):
            for statement in _statements(script):
                connection.execute(statement)
            connection.execute("INSERT INTO migrations VALUES (?, ?)", (name, now()))
        # Opening the database reads this table next.
        connection.execute("SELECT name, value FROM store_facts").fetchall()
        connection.execute("COMMIT")
    except BaseException as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.DatabaseError) and is_damage(error):
            raise StoreDamaged(f"{NOT_MIGRATED} ({error})") from error
        raise
    finally:
        connection.execute("PRAGMA foreign_keys = ON")


def _missing(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return the migrations that are not applied yet. Raises SchemaTooNew."""
    steps, found = known(), applied(connection)
    if unknown := found - {name for name, _ in steps}:
        raise SchemaTooNew(f"the database has migrations that this version does not know: {sorted(unknown)}")
    return [step for step in steps if step[0] not in found]


def applied(connection: sqlite3.Connection) -> set[str]:
    """Return the names of the applied migrations. The set is empty if Signalbox did not create the database."""
    made = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'migrations'").fetchone()
    if not made:
        return set()
    return {RENAMED.get(name, name) for (name,) in connection.execute("SELECT name FROM migrations")}


def _statements(script: str) -> list[str]:
    # Not `executescript`: it commits the open transaction first.
    statements, pending = [], ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    return statements
