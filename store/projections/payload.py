"""Reading of payloads. They are free-form and may be hostile, so a value of an unexpected type counts as missing."""

from __future__ import annotations

from typing import Any

from signalbox.store.events import Event
from signalbox.store.state import Progress

MAX_TEXT_CHARS = 4000
"""Characters of a text in a projection. Pages read many projections at once, and the event has the full text."""

_IDS = ("request_id", "checkpoint_id")


def text(payload: dict[str, Any], *names: str) -> str | None:
    for name in names:
        value = payload.get(name)
        if isinstance(value, str) and value:
            return value if len(value) <= MAX_TEXT_CHARS or name in _IDS else value[:MAX_TEXT_CHARS] + "…"
        # Python does not convert integers with more than 4300 digits to text.
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300:
            return str(value)
    return None


def lowered(payload: dict[str, Any], name: str) -> str:
    """Return the text under `name` in lower case, or "" if there is none."""
    value = payload.get(name)
    return value.lower() if isinstance(value, str) else ""


def number(value: object) -> float | None:
    # `not … <=` also rejects NaN, which is never <= anything.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1e15:
        return None
    return value


def progress_of(payload: dict[str, Any]) -> Progress | None:
    progress = payload.get("progress")
    if not isinstance(progress, dict):
        return None
    current, total = number(progress.get("current")), number(progress.get("total"))
    percentage = number(progress.get("percentage"))
    if percentage is None:
        if current is None or not total:
            return None
        percentage = 100 * current / total
    return Progress(round(min(max(percentage, 0.0), 100.0), 1), current, total)


def checkpoint_id_in(payload: dict[str, Any]) -> str:
    refs = payload.get("evidence_refs")
    return text(payload, "checkpoint_id") or (text(refs, "checkpoint_id") if isinstance(refs, dict) else None) or ""


def checkpoint_id_of(event: Event) -> str:
    """Return the id of the checkpoint that `event` refers to, or "" if there is none."""
    named_id = checkpoint_id_in(event.payload)
    return named_id or (f"checkpoint-{event.seq}" if event.event_type == "checkpoint_commit" else "")


def request_id_of(event: Event) -> str:
    """Return the id of the permission request that `event` opens: from its payload, or else derived from its seq."""
    return text(event.payload, "request_id") or f"request-{event.seq}"
