"""The exception that ended a step or a run, as fields of its closing event."""

from __future__ import annotations

import asyncio
from typing import Any

from signalbox.store.emitter.fit_payload import text_of

MAX_MESSAGE_CHARS = 4000
"""Characters of an error's message to log."""


def failure(error: BaseException | None) -> dict[str, Any]:
    """Return the payload fields that describe the exception that ended a block."""
    if error is None:
        return {}
    if isinstance(error, KeyboardInterrupt | asyncio.CancelledError):
        return {"error_code": "cancelled", "message": "cancelled"}
    message = text_of(error)[:MAX_MESSAGE_CHARS] or type(error).__name__
    return {"error_code": type(error).__name__, "message": message}
