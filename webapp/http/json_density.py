"""Limits how many lists, objects and names a JSON body has, before it is decoded.

An empty list has 3 bytes in a body and 64 in memory, and Python's garbage collector visits it again and again: 4 MB of
them stopped the event loop for a second. Names are hashed and stored one by one: 4 MB of different ones take 0.1 s to
decode, and as much again to be read in their order.
"""

from __future__ import annotations

from signalbox.webapp.http.bad_request import BadRequest

MAX_CONTAINERS = 100_000
"""Maximum lists and objects in a body."""

MAX_NAMES = 250_000
"""Maximum names of fields in a body. 10,000 events with ten fields and a payload of 15 have as many."""

_OTHERS = bytes(code for code in range(256) if code not in b'"[{:,')


class TooDense(BadRequest):
    """A JSON text has too many lists and objects, names or values."""


def check_density(
    body: bytes, most: int = MAX_CONTAINERS, most_names: int = MAX_NAMES, most_commas: int | None = None
) -> None:
    """Raise TooDense if a JSON body has more lists and objects, names of fields or commas between values than allowed.

    Brackets, colons and commas in texts do not count.
    """
    if (
        body.count(b"[") + body.count(b"{") <= most
        and body.count(b":") <= most_names
        and (most_commas is None or body.count(b",") <= most_commas)
    ):
        return
    # Quotes that are not escaped delimit texts. Two in a row have no mark between them.
    others = _OTHERS if most_commas is not None else _OTHERS + b","
    marks = body.replace(rb"\\", b"").replace(rb"\"", b"").translate(None, others).replace(b'""', b"")
    outside = b"".join(marks.split(b'"')[::2])
    names, commas = outside.count(b":"), outside.count(b",")
    _refuse_more(len(outside) - names - commas, most, "lists and objects")
    _refuse_more(names, most_names, "names of fields")
    if most_commas is not None:
        _refuse_more(commas, most_commas, "commas between values")


def _refuse_more(found: int, most: int, what: str) -> None:
    if found > most:
        raise TooDense(f"the body has {found:,} {what}; at most {most:,} are allowed: send several requests")
