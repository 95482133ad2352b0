"""Encodes ids that a run has chosen as the last segments of a path.

Browsers and proxies remove the segments `.` and `..` from a path, percent-encoded ones too
(https://url.spec.whatwg.org/#single-dot-path-segment). An id with such a segment begins with MARK and uses an escape
that browsers and proxies do not interpret.
"""

from __future__ import annotations

import re
from urllib.parse import quote

MARK = "-~"

_PLAIN = re.compile(r"[^A-Za-z0-9_-]")
_ESCAPE = re.compile(r"(?:~[0-9a-f]{2})+")
_WRITTEN = re.compile(r"(?:[A-Za-z0-9_-]|~[0-9a-f]{2})*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def segment(name: str) -> str:
    """Return `name` encoded as the last segments of a path."""
    parts = re.split(r"[/\\]", name)
    if not (name.startswith(MARK) or _CONTROL.search(name) or any(part in (".", "..") for part in parts)):
        return quote(name, safe="/")
    return MARK + _PLAIN.sub(lambda found: "".join(f"~{byte:02x}" for byte in found[0].encode()), name)


def name_of(written: str) -> str:
    """Return the name that `segment` encoded. `written` is already percent-decoded."""
    rest = written.removeprefix(MARK)
    if rest == written or not _WRITTEN.fullmatch(rest):
        return written
    try:
        return _ESCAPE.sub(lambda found: bytes.fromhex(found[0].replace("~", "")).decode(), rest)
    except UnicodeDecodeError:
        return written
