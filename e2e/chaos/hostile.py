"""Invalid or extreme events and requests. Each must be accepted or clearly refused, without effect on others."""

from __future__ import annotations

import random
from typing import Any


def event(rng: random.Random) -> dict[str, Any]:
    """Return the JSON of an extreme event that every page must survive."""
    kinds = (_progress, _text, _deep, _long, _many_lines, _names, _late, _unknown)
    return rng.choice(kinds)(rng)


def _progress(rng: random.Random) -> dict[str, Any]:
    odd = rng.choice([1e308, -5, "NaN", None, [], {"current": 9}, True, 10**30, 0.1 + 0.2])
    payload = {"progress": {"current": odd, "total": rng.choice([0, -1, odd, 3]), "percentage": odd}}
    return {"event_type": "work_item_progress", "span_id": "odd", "payload": payload}


def _text(rng: random.Random) -> dict[str, Any]:
    texts = (
        "\u202eright to left\u202c and \u2066isolated",
        "<script>alert(1)</script><img src=x onerror=alert(1)>",
        "\x1b[31mred\x1b[7m inverse \x1b]8;;https://example.org\x07link\x1b]8;;\x07",
        "line separators \u2028 \u2029 \u0085 end",
        "nul \x00 and bell \x07",
        "combining " + "a\u0301" * 200,
        "\x1b[" * 300,
    )
    return {"event_type": "log", "payload": {"message": rng.choice(texts)}}


def _deep(rng: random.Random) -> dict[str, Any]:
    nested: Any = 1
    for _ in range(rng.choice([20, 90, 150, 900])):
        nested = [nested] if rng.random() < 0.5 else {"n": nested}
    return {"event_type": "odd_event", "payload": {"nested": nested}}


def _long(rng: random.Random) -> dict[str, Any]:
    size = rng.choice([20_000, 200_000])
    return {"event_type": "tool_result", "span_id": "odd", "payload": {"output": "x" * size}}


def _many_lines(rng: random.Random) -> dict[str, Any]:
    return {"event_type": "log", "payload": {"message": "\n".join(f"line {n}" for n in range(rng.randint(2, 400)))}}


def _names(rng: random.Random) -> dict[str, Any]:
    name = rng.choice(["..", ".", "a/../b", "a%2Fb", "?x=1#y", "ü💥", "x" * 300, "\u202e", " "])
    payload = {"request_id": name, "tool_name": name, "checkpoint_id": name, "arguments": {"path": name}}
    kind = rng.choice(["permission_request", "checkpoint_commit", "work_item_start"])
    return {"event_type": kind, "span_id": name, "payload": payload}


def _late(rng: random.Random) -> dict[str, Any]:
    kind = rng.choice(["work_item_complete", "work_item_failed", "phase_exit", "checkpoint_verified"])
    return {"event_type": kind, "span_id": f"never-{rng.randint(1, 9)}", "payload": {"message": "out of order"}}


def _unknown(rng: random.Random) -> dict[str, Any]:
    return {"event_type": rng.choice(["", "odd type", "LOG", "x" * 200]), "phase": "a phase", "payload": {"": None}}


def request(rng: random.Random) -> bytes:
    """Return the bytes of a request that must be refused with a clear error."""
    return rng.choice(
        [
            b"GET /tasks?limit=9999999999999999999999&sort=%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /tasks HTTP/1.1\r\nHost: a..b\r\n\r\n",
            b"GET /api/tasks/x/events?since_seq=-1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /tasks HTTP/1.1\r\nHost: localhost\r\nAccept: " + b"text/html;q=0.1," * 3000 + b"\r\n\r\n",
            b'POST /api/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"a": NaN',
            b"GET /ws/nothing HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            b"GET /sse/tasks/none/events?batch_size=0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /tasks/%2e%2e/%2e%2e HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"garbage\r\n\r\n",
        ]
    )
