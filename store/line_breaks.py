"""Removal of line breaks that are not part of the protocol but at which many clients split lines.

An event stream has three line ends: LF, CR and CRLF (WHATWG HTML, section 9.2). Several clients use Python's
`str.splitlines`, which also splits lines at VT, FF, FS, GS, RS, U+0085, U+2028 and U+2029. So this server never sends
these characters within a line.
"""

from __future__ import annotations

import re

_ANY = re.compile("\r\n|[\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]")

_JSON = ((b"\xc2\x85", rb"\u0085"), (b"\xe2\x80\xa8", rb"\u2028"), (b"\xe2\x80\xa9", rb"\u2029"))
_ESCAPED = re.compile(rb"\\(u0085|u2028|u2029|.)", re.DOTALL)
_RAW = {escape[1:]: raw for raw, escape in _JSON}


def one_line(json: bytes) -> bytes:
    """Return the JSON with U+0085, U+2028 and U+2029 escaped. They occur only inside strings, where this is valid."""
    for raw, escape in _JSON:
        json = json.replace(raw, escape)
    return json


def as_stored(json: bytes) -> bytes:
    """Return the JSON that `one_line` got."""
    return (
        _ESCAPED.sub(lambda found: _RAW.get(found[1], found[0]), json) if b"\\u20" in json or b"\\u00" in json else json
    )


def lines_of(text: str) -> list[str]:
    """Split `text` at all characters that a client may treat as a line break."""
    return _ANY.split(text)
