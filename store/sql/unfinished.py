"""Storage for the unfinished lines of a running task, which its command may still change."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from signalbox.store.errors import UnknownTask
from signalbox.store.identity import check_identity
from signalbox.store.sql.database import Database
from signalbox.store.state import ACTIVE_STATUSES, Unfinished

_REPLACE = (
    "INSERT INTO task_unfinished VALUES (?, ?, ?)"
    " ON CONFLICT (task_id) DO UPDATE SET lines = excluded.lines, updated_at = excluded.updated_at"
)

MAX_LINES = 4
MAX_LINE_CHARS = 16 * 1024
"""Lines, and characters per line, that are stored."""


def checked(lines: Sequence[Unfinished]) -> str:
    """Return the lines as JSON, cut to the limits, or an empty string if there are none."""
    kept = [
        Unfinished(_text(line.message)[:MAX_LINE_CHARS], _text(line.stream)[:32] if line.stream else None)
        for line in lines[:MAX_LINES]
        if line.message
    ]
    return msgspec.json.encode(kept).decode() if kept else ""


def write(db: Database, task_id: str, lines: str, identity: str | None = None) -> None:
    """Replace the unfinished lines of a task. A task that has ended keeps none. Raises UnknownTask."""
    sql = "SELECT status, c.identity FROM tasks JOIN task_event_seq_counters c USING (task_id) WHERE task_id = ?"
    row = db.execute(sql, (task_id,)).fetchone()
    if row is None:
        raise UnknownTask(task_id)
    check_identity(task_id, identity, row[1])
    if lines and row[0] in ACTIVE_STATUSES:
        db.execute(_REPLACE, (task_id, lines, db.now()))
    else:
        clear(db, task_id)


def clear(db: Database, task_id: str) -> None:
    """Delete the unfinished lines of a task."""
    db.execute("DELETE FROM task_unfinished WHERE task_id = ?", (task_id,))


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
