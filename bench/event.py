"""The event that the bench emits: a log line with the time at which it was emitted."""

from __future__ import annotations

import time
from typing import Any

TEXT = "GET /api/items?page=3 200 in 12.4 ms"


def payload(*, mark: bool = False) -> dict[str, Any]:
    """Return the payload of one log event. `t_us` is now in microseconds since 1970; `mark` adds it to the text."""
    t_us = time.time_ns() // 1000
    return {"message": f"{TEXT} t_us={t_us}" if mark else TEXT, "stream": "stdout", "t_us": t_us}


def bare_message(seq: int) -> bytes:
    """Return the event as one SSE message, as large as a real one."""
    t_us = time.time_ns() // 1000
    return (
        b'id: %d\ndata: {"event_id":%d,"task_id":"bench-0","seq":%d,"event_type":"log","phase":null,"actor":"runner",'
        b'"span_id":"bench-0","parent_span_id":null,"payload":{"message":"%b","stream":"stdout","t_us":%d},'
        b'"created_at":"2026-01-01T00:00:00.000000Z","key":null}\n\n' % (seq, seq, seq, TEXT.encode(), t_us)
    )
