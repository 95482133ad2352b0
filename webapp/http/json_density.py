"""Limits how many lists and objects a JSON body has, before it is decoded.

An empty list has 3 bytes in a body and 64 in memory, and Python's garbage collector visits it again and again: 4 MB of
them stopped the event loop for a second.
"""

from __future__ import annotations

from signalbox.webapp.http.bad_request import BadRequest

MAX_CONTAINERS = 100_000
"""Maximum lists and objects in a body."""

_OTHERS = bytes(code for code in range(256) if code not in b'"[{')


def check_density(body: bytes, most: int = MAX_CONTAINERS) -> None:
    """Raise BadRequest if a JSON body has more than `most` lists and objects. Brackets in texts do not count."""
    if body.count(b"[") + body.count(b"{") <= most:
        return
    # Quotes that are not escaped delimit texts. Two in a row have no bracket between them.
    marks = body.replace(rb"\\", b"").replace(rb"\"", b"").translate(None, _OTHERS).replace(b'""', b"")
    found = sum(map(len, marks.split(b'"')[::2]))
    if found > most:
        raise BadRequest(
            f"the body has {found:,} lists and objects; at most {most:,} are allowed: send several requests"
        )
