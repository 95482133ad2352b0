"""Line breaks that protocols of lines do not have but many of their readers do.

An event stream has three line ends: LF, CR and CRLF (WHATWG HTML, section 9.2). Python's `str.splitlines`, on which
several clients build, also breaks a line at VT, FF, FS, GS, RS, U+0085, U+2028 and U+2029. None of them leaves this
server inside a line.
"""

from __future__ import annotations

import re

_ANY = re.compile("\r\n|[\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]")

_JSON = ((b"\xc2\x85", rb"\u0085"), (b"\xe2\x80\xa8", rb"\u2028"), (b"\xe2\x80\xa9", rb"\u2029"))


def one_line(json: bytes) -> bytes:
    """Return the same JSON without U+0085, U+2028 and U+2029: JSON text has them inside strings only, as has their escape."""
    for raw, escape in _JSON:
        json = json.replace(raw, escape)
    return json


def lines_of(text: str) -> list[str]:
    """Return the lines of `text` as every client reads them."""
    return _ANY.split(text)
