"""The fingerprint of a failure: the same for runs that failed in the same place with the same error."""

from __future__ import annotations

import hashlib
import re

from signalbox.store.diagnosis.normal_form import normal_form, normal_line

FINGERPRINT_PATTERN = r"^[0-9a-f]{16}$"
_FINGERPRINT = re.compile(FINGERPRINT_PATTERN)


def fingerprint(place: str, error: str) -> str:
    """Return 16 hexadecimal digits for an error and its place: the name of a span, or a command.

    Numbers, ids, paths and times do not matter, except the names of files in the place. Two texts whose difference
    begins after `normal_form.MAX_CHARS` characters have the same fingerprint.
    """
    return hashlib.sha256(f"{normal_line(place)}\0{normal_form(error)}".encode(errors="replace")).hexdigest()[:16]


def is_fingerprint(text: str) -> bool:
    """Return whether `text` has the form of a fingerprint."""
    return _FINGERPRINT.fullmatch(text) is not None
