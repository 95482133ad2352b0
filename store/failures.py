"""The definition of a failure: the events that pages mark as failures, and to which they jump.

SQLite computes the same from the stored event: see `store/sqlite/schema/002_failures.sql`. A test compares both.
"""

from __future__ import annotations

from typing import Any

import msgspec

_WORDS = ('"level":"error"', '"level":"critical"', '"level":"fatal"', '"error_code":')
_LEVELS = ("error", "critical", "fatal")
_STATUSES = ("failed", "failure", "error")


def reports_failure(event_type: str, payload: str) -> bool:
    """Return whether an event reports a failure. `payload` is its JSON as stored."""
    if event_type.lower().endswith("_failed") or event_type == "checkpoint_invalid":
        return True
    has_status = event_type in ("runner_exit", "status")
    if not has_status:
        lowered = payload.lower()
        if not any(word in lowered for word in _WORDS):
            return False
    try:
        fields = msgspec.json.decode(payload)
    except (msgspec.DecodeError, RecursionError):
        return False
    if _lower(fields.get("level")) in _LEVELS:
        return True
    if fields.get("error_code") not in (None, "", 0):
        return True
    if not has_status:
        return False
    if _lower(fields.get("status")) in _STATUSES:
        return True
    return event_type == "runner_exit" and fields.get("exit_code") not in (None, 0)


def _lower(value: Any) -> str | None:
    return value.lower() if isinstance(value, str) else None
