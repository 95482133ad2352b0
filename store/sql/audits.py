"""Audits record the actions of people. Rows are only added, never changed."""

from __future__ import annotations

from typing import Any

from signalbox.store.contract import Who
from signalbox.store.events import check_text, encode_payload
from signalbox.store.sql.database import Database

MAX_ACTOR_CHARS = 512
"""Room for an e-mail address and the name of a token."""

_TASK = "SELECT project_id, c.identity FROM tasks JOIN task_event_seq_counters c USING (task_id) WHERE task_id = ?"

AuditRow = tuple[str, str | None, str | None, str, str | None, str]
"""(actor, account id, token id, action, source, detail as JSON)."""

_INSERT = (
    "INSERT INTO task_audits (at, actor, account_id, token_id, action, source, detail, task_id, seq, project_id,"
    " identity) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def checked(actor: str | Who, action: str, source: str | None, detail: dict[str, Any] | None) -> AuditRow:
    """Check the values of an audit and return its row. Raises InvalidEvent."""
    who = Who(actor) if isinstance(actor, str) else actor
    check_text(who.name, "actor", limit=MAX_ACTOR_CHARS)
    check_text(action, "action")
    return who.name, who.account_id, who.token_id, action, source, encode_payload(detail or {}, "detail").decode()


def add(db: Database, audit: AuditRow, task_id: str | None, seq: int | None, project_id: str | None = None) -> None:
    """Insert an audit with the project and the identity of its task. Call it before the task is deleted."""
    found = db.execute(_TASK, (task_id,)).fetchone() if task_id is not None else None
    project, identity = found or (None, None)
    db.execute(_INSERT, (db.now(), *audit, task_id, seq, project or project_id, identity))
