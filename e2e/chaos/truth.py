"""What the log says: read from the database file, with nothing of Signalbox between."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One event as it is stored."""

    seq: int
    event_type: str
    key: str | None
    created_at: str
    payload: dict[str, Any]


def log_of(path: Path, task_id: str) -> list[Entry]:
    """The whole log of a task by seq; empty when there is no such task."""
    query = "SELECT seq, event_type, key, created_at, payload FROM task_events WHERE task_id = ? ORDER BY seq"
    with closing(_open(path)) as database:
        rows = database.execute(query, (task_id,)).fetchall()
    return [Entry(seq, kind, key, at, _payload(text)) for seq, kind, key, at, text in rows]


def newest(path: Path, task_id: str | None = None) -> int:
    """The newest seq of a task; without one the newest event_id of all."""
    query = "SELECT max(event_id) FROM task_events"
    if task_id is not None:
        query = "SELECT max(seq) FROM task_events WHERE task_id = ?"
    with closing(_open(path)) as database:
        (found,) = database.execute(query, () if task_id is None else (task_id,)).fetchone()
    return found or 0


def back_up(path: Path, target: Path) -> None:
    """Copy the database as it is into a new file, while others write."""
    with closing(_open(path)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)


def _open(path: Path) -> sqlite3.Connection:
    # The harness has no other connection to this file in its process, so closing this one drops nobody's locks.
    return sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=30)


def _payload(text: Any) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
