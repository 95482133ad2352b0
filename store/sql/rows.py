"""Conversion between rows and values."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from operator import itemgetter
from typing import Any, TypeVar

import msgspec

from signalbox.store.errors import UnreadableTask
from signalbox.store.events import Event
from signalbox.store.sql import damaged
from signalbox.store.sql.compressed import as_given, is_compressed
from signalbox.store.state import Task

COLUMNS = (
    "event_id, task_id, seq, event_type, phase, actor, span_id, parent_span_id, payload, created_at, key, origin,"
    " occurred_at"
)
"""The columns of `task_events` that `event_of` takes, in this order."""

COLUMNS_OF_EVENT = 13
"""Their number. A brief view adds a column."""

LONG_CHARS = 256 * 1024
"""Payloads of more characters than this are read in a thread: a page of the log may have several megabytes."""

PACKED = 5
"""A compressed payload counts as this many times its length."""

MANY_ROWS = 20
"""With fewer rows, checking each costs less than checking them together."""

MAX_CHECKED_CHARS = 2000
"""A payload with fewer characters cannot be nested too deeply."""

S = TypeVar("S")
T = TypeVar("T")
_ROW_TYPES = frozenset((int, str, type(None)))
_INTEGER_COLUMNS = frozenset((0, 2))
_Text = str | None
_Row = tuple[int, str, int, str, _Text, str, str, _Text, str, str, _Text, _Text, _Text]
_BriefRow = tuple[int, str, int, str, _Text, str, str, _Text, str, str, _Text, _Text, _Text, int | None]
_json_check = msgspec.json.Decoder(dict[str, Any])
_values = msgspec.json.Decoder(list[msgspec.Raw])
_encoder = msgspec.json.Encoder()


def event_of(row: Sequence[Any]) -> Event:
    """Return the event of one row of `task_events`. The payload of a damaged event says what is wrong with it."""
    if type(row[8]) is bytes:
        row = _with_text(row)
    if not _ROW_TYPES.issuperset(map(type, row)):
        row = damaged.texts(row, _INTEGER_COLUMNS)
    return _event(row, _payload(row[8]))


def events_of(rows: Sequence[Sequence[Any]]) -> list[Event]:
    """Return the events of these rows. Checking many together takes half the time of `event_of` for each."""
    if len(rows) < MANY_ROWS or not _are_whole(rows):
        return [event_of(row) for row in rows]
    if rows and len(rows[0]) > COLUMNS_OF_EVENT:
        return [_event(row, row[8]) for row in rows]
    # The same as `_event`, without a call for each row.
    return [
        Event(a, b, c, d, e, f, g, h, msgspec.Raw(payload), at, key, origin or msgspec.UNSET, occurred or msgspec.UNSET)
        for a, b, c, d, e, f, g, h, payload, at, key, origin, occurred in rows
    ]


def are_long(rows: Sequence[Sequence[Any]]) -> bool:
    """Return whether `events_of` may take so long for these rows that it belongs in a thread."""
    payloads = [row[8] for row in rows]
    return sum(len(one) * (1 if type(one) is str else PACKED) for one in payloads if one is not None) > LONG_CHARS


async def in_thread_if_long(read: Callable[[Sequence[Sequence[Any]]], T], rows: Sequence[Sequence[Any]]) -> T:
    """Return `read(rows)`. Long payloads are read in a thread."""
    return await asyncio.to_thread(read, rows) if are_long(rows) else read(rows)


async def long_events_of(rows: Sequence[Sequence[Any]]) -> list[Event]:
    """Return the events of many rows, without stopping the event loop for long payloads."""
    return await in_thread_if_long(events_of, rows)


def _with_text(row: Sequence[Any]) -> Sequence[Any]:
    """Return a row with its compressed payload as text. A damaged payload says what is wrong with it."""
    text = as_given(row[8])
    return (*row[:8], damaged.payload_of(text) if is_compressed(text) else text, *row[9:])


def _are_whole(rows: Sequence[Sequence[Any]]) -> bool:
    """Return whether no row is damaged. False for rows with long payloads, which are checked one by one."""
    try:
        brief = bool(rows) and len(rows[0]) > COLUMNS_OF_EVENT
        msgspec.convert(rows, list[_BriefRow] if brief else list[_Row])
        payloads = [row[8] for row in rows]
        text = ",".join(payloads)
        sizes = list(map(len, payloads if text.isascii() else map(str.encode, payloads)))
        # Damaged payloads may be valid JSON when they are joined. Then the values have other sizes than the payloads.
        return (
            list(map(len, _values.decode(f"[{text}]"))) == sizes
            and set(map(itemgetter(0), payloads)) <= {"{"}
            and max(sizes, default=0) < MAX_CHECKED_CHARS
        )
    except (msgspec.MsgspecError, RecursionError, IndexError):
        return False


def _event(row: Sequence[Any], payload: str) -> Event:
    # Arguments in the order of COLUMNS: named ones take half as long again.
    event = Event(
        row[0],
        row[1],
        row[2],
        row[3],
        row[4],
        row[5],
        row[6],
        row[7],
        msgspec.Raw(payload),
        row[9],
        row[10],
        row[11] or msgspec.UNSET,
        row[12] or msgspec.UNSET,
    )
    if len(row) > COLUMNS_OF_EVENT and row[COLUMNS_OF_EVENT]:
        event.__dict__["cut_from"] = row[COLUMNS_OF_EVENT]
    return event


COLUMNS_WITH_IDENTITY = (
    f"{COLUMNS}, (SELECT identity FROM task_event_seq_counters c WHERE c.task_id = task_events.task_id)"
)
"""`COLUMNS` and the identity of the task, for `events_with_identity_of`."""


def events_with_identity_of(rows: Sequence[Sequence[Any]]) -> list[Event]:
    """Return the events of many rows, each with the identity of its task."""
    events = events_of([row[:COLUMNS_OF_EVENT] for row in rows])
    for event, row in zip(events, rows, strict=True):
        event.__dict__["identity_"] = row[COLUMNS_OF_EVENT]
    return events


def to_json(value: object) -> str:
    """Encode a projection's value as JSON."""
    return _encoder.encode(value).decode()


_decoders: dict[type, msgspec.json.Decoder[Any]] = {}


def _payload(stored: object) -> str:
    # Fast path for nearly all payloads: a valid JSON object that is too short to be nested too deeply.
    if type(stored) is str and stored[:1] == "{" and len(stored) < MAX_CHECKED_CHARS:
        try:
            _json_check.decode(stored)
            return stored
        except (msgspec.DecodeError, RecursionError):
            pass
    return damaged.payload_of(stored)


def decode(kind: type[S], text: str | bytes) -> S:
    """Decode a projection's value from JSON. Raises msgspec.DecodeError if it cannot be read."""
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    try:
        value: S = decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError, RecursionError) as error:
        found = damaged.salvage(kind, text)
        if found is None:
            raise msgspec.DecodeError(str(error)) from error
        return found
    return value


def readable(kind: type[S], rows: Iterable[Sequence[Any]]) -> list[S]:
    """Decode the first column of each row. Values that cannot be read are left out."""
    found = []
    for row in rows:
        with suppress(msgspec.DecodeError):
            found.append(decode(kind, row[0]))
    return found


def stored_task(task_id: str, state: str | bytes) -> Task:
    """Decode a task from JSON. Raises UnreadableTask."""
    try:
        return decode(Task, state)
    except msgspec.DecodeError as error:
        raise UnreadableTask(task_id) from error
