"""Creates new SQLite databases with a copy of the newest schema, in a fifth of the time that all migrations take.

Tests create thousands of databases. A test in `tests/store/test_sqlite.py` compares a copy with a migrated database.
"""

from __future__ import annotations

import sqlite3
from functools import cache
from typing import Any

import pytest

from signalbox.store.sqlite import migrations

_migrate, _known = migrations._failed_index, migrations.known


def use_copied_schema() -> None:
    """Let this process create new databases from a copy. It migrates databases that have a schema as always."""
    _statements()
    migrations._failed_index = _copy_or_migrate


def use_migrations(patch: pytest.MonkeyPatch) -> None:
    """Let a test create new databases with the migrations."""
    patch.setattr(migrations, "_failed_index", _migrate)


def _copy_or_migrate(connection: sqlite3.Connection, *arguments: Any) -> str | None:
    if migrations.known is not _known:
        return _migrate(connection, *arguments)  # A test has replaced the migrations.
    connection.execute("BEGIN IMMEDIATE")
    try:
        is_empty = connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None
        for sql, values in _statements() if is_empty else ():
            connection.execute(sql, values)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return None if is_empty else _migrate(connection, *arguments)


@cache
def _statements() -> list[tuple[str, tuple[object, ...]]]:
    """Return the statements that make an empty database equal to a migrated one."""
    template = migrations.empty_database()
    tables = [(name, kind) for _, name, kind, *_ in template.execute("PRAGMA table_list")]
    derived = {name for name, kind in tables if kind == "shadow"}  # The table that a virtual table consists of.
    parts = template.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
    made = [(sql, ()) for name, sql in parts if name not in derived and not name.startswith("sqlite_")]
    filled = [name for name, kind in tables if kind == "table" and name not in ("sqlite_schema", "sqlite_temp_schema")]
    rows = [(name, row) for name in filled for row in template.execute(f"SELECT * FROM {name}")]
    return made + [(f"INSERT INTO {name} VALUES ({','.join('?' * len(row))})", row) for name, row in rows]
