"""The encodings of one column of a block, before compression. Each begins with the byte that names it.

- `C`: one value for all rows.
- `I`: integers as the differences from one to the next.
- `T`: timestamps as integers, in microseconds since 1970, encoded like `I`.
- `D`: the different values, and for each row the index of its value.
- `L`: texts without line feeds, separated by line feeds.
- `J`: any values.

All but `L` are JSON. A value is null, an integer, a real number or a text. Bytes (`B`) are raw after a line with their
lengths.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import accumulate
from operator import sub
from typing import Any

import msgspec

MAX_VALUES = 4
"""A column is encoded as `D` if it has at most one different value for so many rows."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_decode_integers = msgspec.json.Decoder(list[int]).decode


def encoded(values: Sequence[Any]) -> bytes:
    """Return one column as bytes."""
    distinct = dict.fromkeys(values)
    if len(distinct) == 1:
        if isinstance(values[0], bytes):
            return _as_bytes(values)
        return b"C" + _encode(values[0])
    kinds = set(map(type, distinct))
    if bytes in kinds:
        return _as_bytes(values)
    if kinds == {int}:
        return b"I" + _differences(values)
    if len(distinct) * MAX_VALUES <= len(values):
        places = {value: place for place, value in enumerate(distinct)}
        return b"D" + _encode([list(distinct), [places[value] for value in values]])
    if kinds == {str}:
        times = _microseconds(values)
        if times is not None:
            return b"T" + _differences(times)
        joined = "\n".join(values)
        if joined.count("\n") == len(values) - 1:
            return b"L" + joined.encode()
    return b"J" + _encode(values)


def decoded(column: bytes, rows: int, low: int = 0, high: int | None = None) -> list[Any]:
    """Return the values of a column, or those of the rows from `low` to before `high`.

    Raises ValueError if the column is not valid.
    """
    kind, content = column[:1], column[1:]
    finish: Callable[[list[Any]], list[Any]] = list
    if kind == b"C":
        values = [_decode(content)] * rows
    elif kind == b"I":
        values = list(accumulate(_decode_integers(content)))
    elif kind == b"T":
        values, finish = list(accumulate(_decode_integers(content))), _timestamps
    elif kind == b"D":
        distinct, values = _decode(content)
        finish = partial(_looked_up, distinct)
    elif kind == b"L":
        values = content.decode().split("\n")
    elif kind == b"J":
        values = _decode(content)
    elif kind == b"B":
        values = _from_bytes(content)
    else:
        raise ValueError(f"unknown encoding {kind!r}")
    if len(values) != rows:
        raise ValueError(f"{len(values)} values for {rows} rows")
    return finish(values[low:high])


def _looked_up(distinct: Sequence[Any], places: Sequence[int]) -> list[Any]:
    return list(map(distinct.__getitem__, places))


def _differences(values: Sequence[int]) -> bytes:
    return _encode([values[0], *map(sub, values[1:], values)])


def _microseconds(values: Sequence[str]) -> list[int] | None:
    """Return texts as microseconds if they all are timestamps as the store writes them, else None."""
    try:
        times = [(datetime.fromisoformat(value) - _EPOCH) // _MICROSECOND for value in values]
    except (ValueError, TypeError, OverflowError):
        return None
    return times if _timestamps(times) == list(values) else None


def _timestamps(times: Any) -> list[str]:
    """Return times as the store writes them: `2026-01-31T09:05:00.000000Z`."""
    found = []
    last_second, prefix = None, ""
    for time in times:
        second, microsecond = divmod(time, 1_000_000)
        if second != last_second:
            last_second, prefix = second, (_EPOCH + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.")
        found.append(f"{prefix}{microsecond:06d}Z")
    return found


def _as_bytes(values: Sequence[Any]) -> bytes:
    lengths = [None if value is None else len(value) for value in values]
    return b"B" + _encode(lengths) + b"\n" + b"".join(value for value in values if value is not None)


def _from_bytes(content: bytes) -> list[Any]:
    head, _, rest = content.partition(b"\n")
    values, at = list[Any](), 0
    for length in _decode(head):
        values.append(None if length is None else rest[at : at + length])
        at += length or 0
    return values
