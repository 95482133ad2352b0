"""The tones of log rows: the classes that mark a row as a failure, a success, a warning and so on."""

from __future__ import annotations

from typing import Any

_TONES = {
    "phase_enter": " row--phase",
    "phase_exit": " row--phase",
    "work_item_complete": " row--clear",
    "work_item_failed": " row--danger",
    "checkpoint_commit": " row--checkpoint",
    "checkpoint_verified": " row--clear",
    "checkpoint_invalid": " row--danger",
    "recovery_initiated": " row--caution",
    "recovery_complete": " row--clear",
    "permission_request": " row--waiting",
    "cancel_requested": " row--caution",
    "runner_heartbeat": " row--quiet",
}
_LEVELS = {
    **dict.fromkeys(("warning", "warn"), " row--caution"),
    **dict.fromkeys(("error", "critical", "fatal"), " row--danger"),
    **dict.fromkeys(("debug", "trace"), " row--quiet"),
}
_ENDS = {
    **dict.fromkeys(("failed", "failure", "error"), " row--danger"),
    "interrupted": " row--caution",
    **dict.fromkeys(("cancelled", "canceled", "running"), ""),
}


def tone_of_event(kind: str, payload: dict[str, Any]) -> str:
    """Return the class of the row of an event of this type. It begins with a space, or is empty."""
    if kind in ("runner_exit", "status"):
        by_code = " row--danger" if payload.get("exit_code") or payload.get("error_code") else " row--clear"
        return _ENDS.get(str(payload.get("status")), by_code if kind == "runner_exit" else "")
    if kind == "permission_response":
        return " row--clear" if payload.get("approved") is True else " row--danger"
    if payload.get("error_code"):
        return " row--danger"
    return _TONES.get(kind, "")


def tone_of_level(level: object) -> str:
    """Return the class of the row of a line of output with this level."""
    return _LEVELS.get(level.lower(), "") if isinstance(level, str) else ""
