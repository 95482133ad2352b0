"""The lines of a running task that are not complete yet."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from signalbox.store.errors import UnknownTask
from signalbox.store.events import now
from signalbox.store.state import AT_WORK, Unfinished

MOST = 4
LONGEST = 16 * 1024
"""Lines, and characters of each, that are kept."""


def checked(lines: Sequence[Unfinished]) -> str:
    """`lines` as they are stored, cut to what is kept."""
    kept = [
        Unfinished(_text(line.message)[:LONGEST], _text(line.stream)[:32] if line.stream else None)
        for line in lines[:MOST]
        if line.message
    ]
    return msgspec.json.encode(kept).decode() if kept else ""


def write(db: sqlite3.Connection, task_id: str, lines: str) -> None:
    """Replace what a task has; nothing is kept of one that is not at work. Raises UnknownTask."""
    row = db.execute("SELECT status FROM tasks WHERE task_id = ?", (task_id,)).fetchone()
    if row is None:
        raise UnknownTask(task_id)
    if lines and row[0] in AT_WORK:
        db.execute("INSERT OR REPLACE INTO task_unfinished VALUES (?, ?, ?)", (task_id, lines, now()))
    else:
        clear(db, task_id)


def clear(db: sqlite3.Connection, task_id: str) -> None:
    """Forget what a task has."""
    db.execute("DELETE FROM task_unfinished WHERE task_id = ?", (task_id,))


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
