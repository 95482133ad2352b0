"""Migrations that got more statements after databases had applied them, in versions before the first release."""

from __future__ import annotations

import sqlite3

_TABLE = "task_permissions"
_EXTENDED = "009_finite"
_COLUMN = "expires_at"


def left_out(connection: sqlite3.Connection, applied: set[str], statements: list[str]) -> list[str]:
    """Return those of the `statements` of 009_finite that a database lacks although it has applied that migration."""
    if _EXTENDED not in applied:
        return []
    columns = {column[1] for column in connection.execute(f"PRAGMA table_xinfo({_TABLE})")}
    if _COLUMN in columns:
        return []
    return [
        statement
        for statement in statements
        if f"ALTER TABLE {_TABLE}" in statement or (" INDEX " in statement and f" ON {_TABLE} " in statement)
    ]
