"""Converts or cuts values that the log cannot hold, so that emitting never ends the program."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, cast

import msgspec

from signalbox.store.errors import InvalidEvent
from signalbox.store.events import MAX_FIELD_CHARS, MAX_PAYLOAD_BYTES, NewEvent
from signalbox.store.times import checked_time

MAX_TEXT_CHARS = 20_000
"""Characters to keep of each text in a payload that is too large."""

MAX_DEPTH = 50
"""Levels of nesting to keep. A structure that contains itself is cut at this depth."""

LIMITS = ((MAX_TEXT_CHARS, 10_000), (2000, 1000), (200, 100), (100, 10))
"""Limits to try in turn until the payload fits: (characters of a text, items of a collection)."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_INTEGERS = range(-(2**63), 2**64)


class _TooManyValues(Exception):
    """A payload has more values than fit in its limit of bytes."""


class _Allowance:
    """How many values may be converted. `items` is the number of values to keep of each collection, None for all."""

    def __init__(self, values: int, items: int | None = None) -> None:
        self.left = values
        self.items = items

    def first(self, values: Iterable[Any], count: int) -> Iterable[Any]:
        """Return the values of a collection to convert. Raises _TooManyValues."""
        if self.items is not None and count > self.items:
            values, count = islice(values, self.items), self.items
        self.left -= count
        if self.left < 0:
            raise _TooManyValues
        return values


def fitting(event: NewEvent, limit: int = MAX_PAYLOAD_BYTES) -> NewEvent:
    """Return `event` with valid fields and a payload of at most `limit` bytes of JSON.

    Values that JSON cannot represent become text. A payload that was cut has the key `truncated`: the length of the
    message in characters, or the size of the payload in bytes if the message was not cut. An `occurred_at` that is not
    a time with a zone is moved into the payload.
    """
    payload, occurred_at = event.payload, None
    if event.occurred_at is not None:
        try:
            occurred_at = checked_time(event.occurred_at, "occurred_at")
        except InvalidEvent:
            payload = {**payload, "occurred_at": event.occurred_at}
    span_id = identifier(event.span_id)
    parent = identifier(event.parent_span_id)
    return NewEvent(
        event_type=word(event.event_type) or "unnamed",
        phase=word(event.phase),
        actor=word(event.actor) or "runner",
        span_id=span_id,
        parent_span_id=None if parent == span_id else parent,
        payload=fitting_object(payload, limit),
        key=identifier(event.key),
        occurred_at=occurred_at,
    )


def fitting_object(value: Any, limit: int = MAX_PAYLOAD_BYTES) -> dict[str, Any]:
    """Return `value` as a JSON object of at most `limit` bytes."""
    given: Any = value if isinstance(value, Mapping) else {"value": value}
    # A value has at least two bytes with its comma or bracket. Larger payloads are cut before they are converted:
    # millions of numbers would take half a second.
    values = limit // 2
    try:
        given = plain(given, allowance=_Allowance(values))
    except _TooManyValues:
        size = _size_of(given)
    else:
        size = _size_of(given)
        if size <= limit:
            return cast(dict[str, Any], given)
    message = given.get("message")
    for characters, items in LIMITS:
        try:
            cut = _cut_object(plain(given, allowance=_Allowance(values, items)), characters, items)
        except _TooManyValues:
            continue
        long = isinstance(message, str) and len(message) > characters
        cut["truncated"] = len(message) if isinstance(message, str) and long else size
        if len(msgspec.json.encode(cut)) <= limit:
            return cut
    return {"truncated": size}


def _size_of(value: Any) -> int:
    """Return the bytes of a value as JSON."""
    try:
        return len(msgspec.json.encode(value))
    except Exception:
        return len(msgspec.json.encode(plain(value)))


def word(value: Any, limit: int = MAX_FIELD_CHARS) -> str | None:
    """Return `value` as one line of at most `limit` characters, or None if the line is empty."""
    if value is None:
        return None
    line = _CONTROL.sub(" ", text_of(value)).strip()
    return f"{line[: limit - 1]}…" if len(line) > limit else line or None


def identifier(value: Any) -> str | None:
    """Return `value` as one line. A changed value ends with its hash, so different values stay different."""
    if value is None:
        return None
    text = text_of(value)
    line = _CONTROL.sub(" ", text)
    if line == text and len(line) <= MAX_FIELD_CHARS:
        return line or None
    return f"{line[:180]}-{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def number(value: Any) -> float | None:
    """Return `value` as a finite number, or None if it is not one."""
    try:
        if type(value) is int:
            return value if value in _INTEGERS else None
        result = float(value)
    except Exception:
        return None
    return result if math.isfinite(result) else None


def text_of(value: Any) -> str:
    """Return any `value` as valid Unicode text. A lone surrogate becomes `?`."""
    try:
        text = value.decode(errors="replace") if isinstance(value, bytes | bytearray) else str(value)
    except Exception:
        text = f"<{type(value).__name__}>"
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def plain(value: Any, depth: int = MAX_DEPTH, allowance: _Allowance | None = None) -> Any:
    """Return `value` as JSON types. Other types become text, and a number that is not finite becomes null."""
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is str:
        return text_of(value)
    if kind is int:
        return value if value in _INTEGERS else _digits(value)
    if kind is float:
        return value if math.isfinite(value) else None
    if depth == 0:
        return "…"
    try:
        if isinstance(value, Mapping):
            pairs: Iterable[Any] = list(value.items())
            pairs = allowance.first(pairs, len(value)) if allowance else pairs
            return {text_of(key): plain(item, depth - 1, allowance) for key, item in pairs}
        if isinstance(value, list | tuple | set | frozenset):
            items: Iterable[Any] = list(value)
            items = allowance.first(items, len(value)) if allowance else items
            found = [plain(item, depth - 1, allowance) for item in items]
            return found if len(found) == len(value) else [*found, "…"]
        # msgspec encodes times, enums and data classes here in the same way as in a payload without faults.
        return msgspec.json.decode(msgspec.json.encode(value))
    except _TooManyValues:
        raise
    except Exception:
        return text_of(value)


def _digits(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # more digits than Python converts
        return hex(value)


def _cut(value: Any, characters: int, items: int) -> Any:
    if isinstance(value, str):
        return f"{value[:characters]}…" if len(value) > characters else value
    if isinstance(value, list):
        return [_cut(item, characters, items) for item in value[:items]] + (["…"] if len(value) > items else [])
    if isinstance(value, dict):
        return {
            _cut(key, characters, items): _cut(item, characters, items) for key, item in list(value.items())[:items]
        }
    return value


def _cut_object(value: dict[str, Any], characters: int, items: int) -> dict[str, Any]:
    first = list(value.items())[:items]
    return {_cut(name, characters, items): _cut(item, characters, items) for name, item in first}


def progress(current: Any, total: Any) -> dict[str, float] | None:
    """Return the `progress` of a payload: `current`, and if there is a total, `total` and `percentage`.

    Values that are not finite numbers are left out. Return None if `current` is not a finite number.
    """
    current_number, total_number = number(current), number(total)
    if current_number is None:
        return None
    if not total_number:
        return {"current": current_number}
    percentage = number(100 * current_number / total_number)
    fields = {"current": current_number, "total": total_number}
    return fields if percentage is None else {**fields, "percentage": round(percentage, 1)}
