"""The begin of compression: once no server of a version that cannot read compressed payloads uses the file.

From then on those versions refuse to open the file. A program of such a version that is still running, such as a long
run that writes to the file itself, can continue: it appends, and does not read payloads.
"""

from __future__ import annotations

import sqlite3

MIGRATION = "034_compressed"
FACT = "compressed_payloads"
"""The row of `store_facts` that says that the file may have compressed payloads."""

_BEGUN = "SELECT 1 FROM store_facts WHERE name = ?"
_OLDER_SERVERS = "SELECT 1 FROM server_processes WHERE NOT reads_compressed AND seen_at BETWEEN {now} - ? AND {now} + 1"
_NOW = "(julianday('now') - 2440587.5) * 86400.0"

GONE_AFTER = 60.0
"""Seconds after its last report when a server that did not stop cleanly counts as gone."""


def begin(connection: sqlite3.Connection) -> bool:
    """Let compression begin if that is possible, in a transaction of its own. Return whether it has begun."""
    if has_begun(connection):
        return True
    try:
        if _older_servers(connection):
            return False
        connection.execute("BEGIN IMMEDIATE")
        begun = begin_inside(connection)
        connection.execute("COMMIT")
        return begun
    except sqlite3.DatabaseError:
        # It is no reason to refuse to open the file: the next program tries again.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        return has_begun(connection)


def begin_inside(connection: sqlite3.Connection) -> bool:
    """Do the same inside the transaction of the caller."""
    if has_begun(connection):
        return True
    if _older_servers(connection):
        return False
    connection.execute("INSERT INTO store_facts VALUES (?, 'zstd')", (FACT,))
    connection.execute("UPDATE migration_marks SET compatible_from = NULL WHERE name = ?", (MIGRATION,))
    return True


def has_begun(connection: sqlite3.Connection) -> bool:
    """Return whether the file may have compressed payloads."""
    return connection.execute(_BEGUN, (FACT,)).fetchone() is not None


def _older_servers(connection: sqlite3.Connection) -> bool:
    return connection.execute(_OLDER_SERVERS.format(now=_NOW), (GONE_AFTER,)).fetchone() is not None
