"""Rebuilding of projections from their logs, after a migration that changes how events are projected.

The migration lists the tasks in `tasks_to_fold`. Each task is folded in a transaction of its own, which also deletes it
from that table. So an interrupted process continues with the remaining tasks at its next start.
"""

from __future__ import annotations

import sqlite3

from signalbox.store.sql.refold import refold
from signalbox.store.sqlite.damaged import is_damage, is_not_text
from signalbox.store.sqlite.database import SqliteDatabase


def _waiting(db: SqliteDatabase, limit: int = 100) -> list[str]:
    """Return up to `limit` tasks that are still to be folded."""
    return [str(row[0]) for row in db.execute("SELECT task_id FROM tasks_to_fold LIMIT ?", (limit,))]


def refold_waiting(db: SqliteDatabase) -> None:
    """Fold all tasks in `tasks_to_fold`. If there are none, this is a single read."""
    while found := _waiting(db):
        for task_id in found:
            db.execute("BEGIN IMMEDIATE")
            try:
                refold(db, task_id)
                db.execute("COMMIT")
            except BaseException as error:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                if not (isinstance(error, sqlite3.DatabaseError) and (is_not_text(error) or is_damage(error))):
                    raise
                # A damaged log, or one with text in another encoding, is left as it is. The other tasks continue.
                db.execute("DELETE FROM tasks_to_fold WHERE task_id = ?", (task_id,))
