"""libfaketime, which gives a program another time."""

from __future__ import annotations

from pathlib import Path

PATTERNS = (
    "usr/lib/*/faketime/libfaketimeMT.so.1",
    "usr/lib/faketime/libfaketimeMT.so.1",
    "usr/local/lib/faketime/libfaketimeMT.so.1",
)


def library() -> Path | None:
    """Return the path of the library, or None if it is not installed."""
    return next((path for pattern in PATTERNS for path in Path("/").glob(pattern)), None)
