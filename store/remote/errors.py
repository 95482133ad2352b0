"""Conversion of a server's error responses to the store's errors."""

from __future__ import annotations

import math
from typing import Any

import httpx
import msgspec

from signalbox.store.errors import (
    Conflict,
    InvalidEvent,
    NotAllowed,
    StoreDamaged,
    StoreError,
    StoreUnavailable,
    TaskReplaced,
    UnknownTask,
)


def error_of(response: httpx.Response, task_id: str | None = None) -> StoreError:
    """Return the error for an unsuccessful response. Its body must already have been read."""
    status, error = response.status_code, _error(response)
    message = str(error.get("message") or f"the server answered {status} {response.reason_phrase}")
    if status == 404 and task_id is not None and error.get("code") == "unknown_task":
        return UnknownTask(task_id)
    if status == 410 and task_id is not None and error.get("code") == "task_replaced":
        return TaskReplaced(task_id)
    if status in (400, 413, 422):
        return InvalidEvent(message, error.get("field"))
    if status in (401, 403):
        return NotAllowed(message, known=status == 403)
    if status == 409:
        return Conflict(message)
    if error.get("code") == "store_damaged":
        return StoreDamaged(message)
    if status in (408, 425, 429) or status >= 500:
        return StoreUnavailable(message, _retry_after(response))
    return StoreError(message)


def is_signalbox_error(response: httpx.Response) -> bool:
    """Return whether the error response is one of a Signalbox server, not one of a proxy."""
    return isinstance(_error(response).get("code"), str)


def unreachable(url: str, error: httpx.RequestError) -> StoreUnavailable:
    """Return the error for a request without a response."""
    return StoreUnavailable(f"the server {url} cannot be reached: {error or type(error).__name__}", 0)


def _retry_after(response: httpx.Response) -> float:
    try:
        seconds = float(response.headers["Retry-After"])
    except (KeyError, ValueError):
        return 1.0
    return 1.0 if math.isnan(seconds) else min(max(seconds, 0.0), 60.0)


def _error(response: httpx.Response) -> dict[str, Any]:
    try:
        error = msgspec.json.decode(response.content)["error"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return {}
    return error if isinstance(error, dict) else {}
