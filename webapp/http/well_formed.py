"""Rejects requests with a malformed Host header or address with status 400, before routing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_LABEL = rb"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})"
_HOST = re.compile(rb"(?:%b(?:\.%b)*\.?|\[[0-9A-Fa-f:.]{2,45}\])?(?::[0-9]{0,5})?" % (_LABEL, _LABEL))

MAX_HOST_BYTES = 300
"""Maximum bytes of a Host header: a name of 253 bytes and a port."""


def complaint_about(scope: Any) -> str | None:
    """Return the error of a request's Host or address, or None. `scope` is an ASGI scope of HTTP or a WebSocket."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if len(hosts) > 1:
        return "there is more than one Host header"
    if not hosts:
        # RFC 9112, section 3.2: only HTTP/1.0 may leave it out.
        return "there is no Host header" if scope.get("http_version", "1.1") == "1.1" else None
    if len(hosts[0]) > MAX_HOST_BYTES or not _HOST.fullmatch(hosts[0].strip()):
        return "the Host header is not a host name with an optional port"
    if not scope["query_string"].isascii():
        return "the query string has bytes that are not percent-encoded"
    return None


async def refuse(
    scope: Any,
    receive: Any,
    send: Any,
    complaint: str,
    status: int = 400,
    more_headers: Sequence[tuple[bytes, bytes]] = (),
) -> None:
    """Send the complaint as a plain text response."""
    socket = scope["type"] == "websocket"
    if socket and "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 1008})
        return
    kind, body = "websocket.http.response" if socket else "http.response", complaint.encode() + b"\n"
    plain = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    headers = [*plain, (b"x-content-type-options", b"nosniff"), *more_headers]
    await send({"type": f"{kind}.start", "status": status, "headers": headers})
    await send({"type": f"{kind}.body", "body": body, "more_body": False})
    while socket and (await receive())["type"] != "websocket.disconnect":
        pass
