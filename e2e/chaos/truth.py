"""Read the log directly from the database file, without any Signalbox code."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One stored event."""

    seq: int
    event_type: str
    key: str | None
    created_at: str
    payload: dict[str, Any]


def log_of(path: Path, task_id: str) -> list[Entry]:
    """Return the whole log of a task by seq; empty if the task does not exist."""
    query = "SELECT seq, event_type, key, created_at, payload FROM task_events WHERE task_id = ? ORDER BY seq"
    with closing(_open(path)) as database:
        rows = database.execute(query, (task_id,)).fetchall()
    return [Entry(seq, kind, key, at, _payload(text)) for seq, kind, key, at, text in rows]


def newest(path: Path, task_id: str | None = None) -> int:
    """Return the newest seq of a task, or without a task the newest event_id."""
    query = "SELECT max(event_id) FROM task_events"
    if task_id is not None:
        query = "SELECT max(seq) FROM task_events WHERE task_id = ?"
    with closing(_open(path)) as database:
        (highest,) = database.execute(query, () if task_id is None else (task_id,)).fetchone()
    return highest or 0


def back_up(path: Path, target: Path) -> None:
    """Copy the current database into a new file, while others write."""
    with closing(_open(path)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)


def _open(path: Path) -> sqlite3.Connection:
    # This process has no other connection to the file, so closing this one releases no locks of another connection.
    return sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=30)


def _payload(text: Any) -> dict[str, Any]:
    try:
        payload = json.loads(text)
    except (TypeError, ValueError):
        return {}
    return payload if isinstance(payload, dict) else {}
