"""Numbered migrations: the files in `schema/`, applied in the order of their names.

The table `migrations` records the name of each applied migration, in the same transaction as the migration.
"""

from __future__ import annotations

import sqlite3
from importlib.resources import files

from signalbox.store.errors import SchemaTooNew
from signalbox.store.times import now

RENAMED = {"011_plain": "012_plain"}
"""Maps the names that earlier versions recorded to the present ones. Two migrations had the number 011."""


def known() -> list[tuple[str, str]]:
    """Return all migrations as (name, SQL), in order."""
    scripts = [
        entry for entry in files("signalbox.store.sqlite").joinpath("schema").iterdir() if entry.name.endswith(".sql")
    ]
    return [(script.name[:-4], script.read_text()) for script in sorted(scripts, key=lambda s: s.name)]


def migrate(connection: sqlite3.Connection) -> None:
    """Migrate the database to the newest schema. Several processes may do this at the same time.

    Raises SchemaTooNew if the database holds a migration that this version does not know.
    """
    steps = known()
    names = {name for name, _ in steps}
    unknown = applied(connection) - names
    if unknown:
        raise SchemaTooNew(f"the database has migrations that this version does not know: {sorted(unknown)}")
    # Check before taking the write lock: opening an up-to-date database must not wait for another process's write.
    for name, script in steps:
        if name not in applied(connection):
            _apply(connection, name, script)


def _apply(connection: sqlite3.Connection, name: str, script: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, applied_at TEXT NOT NULL)")
        if name not in applied(connection):
            for statement in _statements(script):
                connection.execute(statement)
            connection.execute("INSERT INTO migrations VALUES (?, ?)", (name, now()))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


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
