"""The audits: what people did. Rows are only ever added."""

from __future__ import annotations

import sqlite3
from typing import Any

from store.errors import UnknownTask
from store.events import Event, check_text, encode_payload, now
from store.sqlite import append as appending

Audit = tuple[str, str, str | None, str]
"""Who, what, from where, and the detail as JSON."""

_INSERT = "INSERT INTO task_audits (at, actor, action, source, detail, task_id, seq) VALUES (?, ?, ?, ?, ?, ?, ?)"


def checked(actor: str, action: str, source: str | None, detail: dict[str, Any] | None) -> Audit:
    """An audit that may be kept. Raises InvalidEvent."""
    check_text(actor, "actor")
    check_text(action, "action")
    return actor, action, source, encode_payload(detail or {}, "detail").decode()


def add(db: sqlite3.Connection, audit: Audit, task_id: str | None, seq: int | None) -> None:
    """Keep an audit."""
    db.execute(_INSERT, (now(), *audit, task_id, seq))


def append(db: sqlite3.Connection, task_id: str, draft: appending.Draft, audit: Audit) -> Event:
    """Append an event to a task that exists, and keep the audit with its seq. A key that is known keeps nothing new."""
    task = appending.load_task(db, task_id)
    if task is None:
        raise UnknownTask(task_id)
    event = appending.append(db, task_id, [draft])[0]
    if event.seq > task.latest_seq:
        add(db, audit, task_id, event.seq)
    return event
