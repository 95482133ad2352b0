"""The names of the tasks of coding agents' sessions."""

from __future__ import annotations

import hashlib
import re

from signalbox.store.events import is_task_id

_NO_ID = re.compile(r"[^A-Za-z0-9_.:-]+")


def task_of_session(agent: str, session_id: str) -> str:
    """Return the id of a session's task: the agent and the session, such as `claude-code-5f0c…`."""
    named = f"{agent}-{session_id}"
    if is_task_id(named):
        return named
    short = hashlib.sha256(session_id.encode("utf-8", "replace")).hexdigest()[:16]
    return f"{agent}-{_NO_ID.sub('-', session_id)[:60]}-{short}"
