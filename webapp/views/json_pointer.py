"""JSON Pointers (RFC 6901): the place of a value inside a payload, such as `/messages/0/content`."""

from __future__ import annotations

from typing import Any


def child(pointer: str, name: str | int) -> str:
    """Return the pointer of a member or item of the value at `pointer`."""
    return f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}"


def names(pointer: str) -> list[str]:
    """Return the names of a pointer, the outermost first. Raises LookupError if it is not a pointer."""
    if pointer and not pointer.startswith("/"):
        raise LookupError(pointer)
    return [name.replace("~1", "/").replace("~0", "~") for name in pointer.split("/")[1:]]


def resolve(value: Any, pointer: str) -> Any:
    """Return the value at `pointer` inside `value`. Raises LookupError if there is none."""
    for name in names(pointer):
        if isinstance(value, dict):
            value = value[name]
        elif isinstance(value, list) and name.isascii() and name.isdigit() and len(name) < 10:
            value = value[int(name)]
        else:
            raise LookupError(pointer)
    return value
