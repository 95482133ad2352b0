"""Values of libraries as JSON types, and texts from them for titles."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

MAX_DEPTH = 20
MAX_VALUES = 100_000
"""Values to keep. Objects that refer to each other would otherwise be copied again and again."""

MAX_TITLE_CHARS = 120


def plain(value: Any, depth: int = MAX_DEPTH, left: list[int] | None = None) -> Any:
    """Return a value as JSON types. Models of pydantic and data classes become objects; other types become text.

    `left` has the number of values that may still be converted, by default `MAX_VALUES`.
    """
    if value is None or isinstance(value, str | bool | int | float):
        return value
    left = left or [MAX_VALUES]
    if depth == 0 or left[0] <= 0:
        return "…"
    left[0] -= 1 + (len(value) if isinstance(value, Mapping | list | tuple | set | frozenset) else 0)
    if isinstance(value, Mapping):
        return {str(name): plain(one, depth - 1, left) for name, one in list(value.items())}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one, depth - 1, left) for one in list(value)]
    dump = getattr(value, "model_dump", None)
    if callable(dump) and not isinstance(value, type):
        try:
            return plain(dump(mode="json", exclude_none=True), depth - 1, left)
        except Exception:
            return _text(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        # `asdict` copies deeply, which fails for fields such as locks.
        names = [field.name for field in dataclasses.fields(value)]
        return {name: plain(getattr(value, name, None), depth - 1, left) for name in names}
    return _text(value)


def decoded(text: Any) -> Any:
    """Return the value of a text that is JSON, such as the arguments of a tool. Return any other value unchanged."""
    if isinstance(text, str) and text[:1] in ("{", "[", '"'):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def title_of(text: str | None) -> str | None:
    """Return the first words of a text as a title: one line. None if it has no words."""
    line = " ".join((text or "").split())
    return (f"{line[: MAX_TITLE_CHARS - 1]}…" if len(line) > MAX_TITLE_CHARS else line) or None


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception:
        return f"<{type(value).__name__}>"
