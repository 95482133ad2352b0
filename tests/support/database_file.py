"""Copy a database file, and read and write it while it is replaced."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from signalbox.store import NewEvent, StoreUnavailable
from signalbox.store.sqlite import SqliteStore


def back_up(path: Path, target: Path) -> None:
    """Copy an open database to another file with the backup interface of SQLite."""
    with sqlite3.connect(path) as source, sqlite3.connect(target) as copy:
        source.backup(copy)
    source.close()
    copy.close()


def append_event(store: SqliteStore, task_id: str = "run") -> int:
    """Append an event and return its seq once it is stored."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return store.append(task_id, NewEvent(event_type="log"))[0].seq
        except StoreUnavailable:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def count_stored_events(path: Path, task_id: str = "run") -> int:
    """Return the number of events of a task that another process reads from a database file."""
    code = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]);"
        " print(db.execute('SELECT count(*) FROM task_events WHERE task_id = ?', (sys.argv[2],)).fetchone()[0])"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, str(path), task_id], capture_output=True, text=True, check=True
    )
    return int(process.stdout)
