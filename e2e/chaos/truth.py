"""Read the log directly from the database, without any Signalbox code."""

from __future__ import annotations

import json
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

_LOG = "SELECT seq, event_type, key, created_at, payload FROM task_events WHERE task_id = ? ORDER BY seq"
_NEWEST = "SELECT max(event_id) FROM task_events"
_NEWEST_OF_TASK = "SELECT max(seq) FROM task_events WHERE task_id = ?"


@dataclass(frozen=True)
class Entry:
    """One stored event."""

    seq: int
    event_type: str
    key: str | None
    created_at: str
    payload: dict[str, Any]


class Truth(ABC):
    """The log as the database holds it."""

    def log_of(self, task_id: str) -> list[Entry]:
        """Return the whole log of a task by seq; empty if the task does not exist."""
        rows = self._rows(_LOG, (task_id,))
        return [Entry(seq, kind, key, str(at), _payload(text)) for seq, kind, key, at, text in rows]

    def newest(self, task_id: str | None = None) -> int:
        """Return the newest seq of a task, or without a task the newest event_id."""
        ((highest,),) = self._rows(_NEWEST) if task_id is None else self._rows(_NEWEST_OF_TASK, (task_id,))
        return highest or 0

    @abstractmethod
    def _rows(self, query: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Run a query on a new connection."""


class FileTruth(Truth):
    """The log in a SQLite file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def _rows(self, query: str, parameters: Sequence[Any] = ()) -> list[Any]:
        with closing(self._open()) as database:
            return database.execute(query, parameters).fetchall()

    def back_up(self, target: Path) -> None:
        """Copy the current database into a new file, while others write."""
        with closing(self._open()) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)

    def _open(self) -> sqlite3.Connection:
        # This process has no other connection to the file, so closing this one releases no locks of another connection.
        return sqlite3.connect(f"file:{self.path}?mode=rw", uri=True, timeout=30)


class ServerTruth(Truth):
    """The log in a PostgreSQL database."""

    def __init__(self, url: str) -> None:
        self.url = url

    def _rows(self, query: str, parameters: Sequence[Any] = ()) -> list[Any]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(query.replace("?", "%s").encode(), parameters).fetchall()


def _payload(text: Any) -> dict[str, Any]:
    try:
        payload = json.loads(text)
    except (TypeError, ValueError):
        return {}
    return payload if isinstance(payload, dict) else {}
