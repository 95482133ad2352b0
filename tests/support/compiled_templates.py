"""Templates that are compiled once for all apps of a process."""

from __future__ import annotations

from types import CodeType
from typing import Any

from jinja2 import Environment

_compiled: dict[tuple[str, str | None], CodeType] = {}
_compile = Environment.compile


def compile_once(self: Environment, source: str, name: str | None = None, *more: Any) -> CodeType:
    """Do the same as `Environment.compile`, which this replaces."""
    key = (source, name)
    if key not in _compiled:
        _compiled[key] = _compile(self, source, name, *more)
    return _compiled[key]
