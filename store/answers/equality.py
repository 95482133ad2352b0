"""Equality of JSON values, in which 1 and 1.0 are the same number: JavaScript reads and writes both as 1."""

from __future__ import annotations

from typing import Any

import msgspec


def is_same(one: Any, other: Any) -> bool:
    """Return whether two JSON values are the same. Unlike in Python, true is not 1."""
    return canonical(one) == canonical(other)


def canonical(value: Any) -> bytes:
    """Return JSON that is the same for all values that JSON Schema calls equal, such as 1 and 1.0."""
    return msgspec.json.encode(_with_integers(value), order="sorted")


def _with_integers(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return list(map(_with_integers, value))
    if isinstance(value, dict):
        return {name: _with_integers(one) for name, one in value.items()}
    return value
