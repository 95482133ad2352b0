"""Sizes as operators write them: a number of bytes, or a text such as `500 MB` or `2 TB`."""

from __future__ import annotations

import re

from signalbox.store.retention.errors import InvalidRetention

UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
"""The factors of the units. They are powers of 1000, as on the pages."""

MAX_BYTES = 10**15

_WRITTEN = re.compile(r"(?P<number>\d+(?:\.\d+)?) *(?P<unit>[KMGT]?B?)", re.IGNORECASE)


def bytes_of(value: int | str, name: str) -> int:
    """Return a size in bytes. Raises InvalidRetention, which names `name`."""
    size = value if isinstance(value, int) else _written(value, name)
    if not 1 <= size <= MAX_BYTES:
        raise InvalidRetention(f"{name} must be between 1 byte and 1000 TB, not {value!r}")
    return int(size)


def _written(text: str, name: str) -> float:
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        raise InvalidRetention(f"{name} must be a number of bytes or a size such as 500 MB or 20 GB, not {text!r}")
    unit = found["unit"].upper()
    return float(found["number"]) * UNITS[unit if unit in UNITS else f"{unit}B"]
