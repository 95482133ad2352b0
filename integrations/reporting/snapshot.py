"""Copies of values that a program reports, made in the thread that reports them.

The events are written later and in another thread. By then the program may have changed a list, and the text of an
object may need its thread, as with rows of a database session.
"""

from __future__ import annotations

TYPE_CHECKING = False  # from typing, which takes longer to import than this module
if TYPE_CHECKING:
    from typing import Any

MAX_TEXT_CHARS = 256 * 1024
"""Characters of a text to keep. The emitter cuts a payload that is still too large for the log."""

MAX_ITEMS, MAX_DEPTH = 1000, 20
"""Items of a collection, and levels of nesting to keep."""

MAX_VALUES = 50_000
"""Values of one event to keep. Objects that refer to each other would otherwise be copied again and again."""

ITEM_BYTES = 60
"""The estimated size of a value besides its text."""


def snapshot(value: Any, depth: int = MAX_DEPTH, left: list[int] | None = None) -> tuple[Any, int]:
    """Return a copy of `value` in JSON types, and its estimated size in bytes. Other types become text.

    `left` has the number of values that may still be copied, by default `MAX_VALUES`.
    """
    kind = type(value)
    if value is None or kind is bool or kind is float or kind is int:
        return value, ITEM_BYTES
    if kind is str:
        if len(value) > MAX_TEXT_CHARS:
            value = f"{value[:MAX_TEXT_CHARS]}…"
        return value, ITEM_BYTES + len(value)
    if isinstance(value, dict | list | tuple | set | frozenset):
        if depth == 0:
            return "…", ITEM_BYTES
        left = left or [MAX_VALUES]
        try:
            return (_copied_dict if isinstance(value, dict) else _copied_list)(value, depth - 1, left)
        except Exception:
            # Another thread changed the collection.
            return "…", ITEM_BYTES
    return snapshot(text_of(value))


def text_of(value: Any) -> str:
    """Return any value as text. A value that cannot be shown becomes the name of its type."""
    try:
        return value.decode(errors="replace") if isinstance(value, bytes | bytearray) else str(value)
    except Exception:
        return f"<{type(value).__name__}>"


def _copied_dict(value: Any, depth: int, left: list[int]) -> tuple[dict[str, Any], int]:
    copied, size = {}, ITEM_BYTES
    for number, (key, item) in enumerate(value.items()):
        if number == MAX_ITEMS or left[0] <= 0:
            copied["…"] = len(value)
            break
        left[0] -= 1
        name = key if type(key) is str else text_of(key)
        copied[name], bytes_ = snapshot(item, depth, left)
        size += bytes_ + len(name)
    return copied, size


def _copied_list(value: Any, depth: int, left: list[int]) -> tuple[list[Any], int]:
    copied, size = [], ITEM_BYTES
    for number, item in enumerate(value):
        if number == MAX_ITEMS or left[0] <= 0:
            copied.append("…")
            break
        left[0] -= 1
        copy, bytes_ = snapshot(item, depth, left)
        copied.append(copy)
        size += bytes_
    return copied, size
