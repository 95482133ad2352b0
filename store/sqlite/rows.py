"""How values stand in SQLite's rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from store.events import Event

COLUMNS = "event_id, task_id, seq, event_type, phase, actor, span_id, parent_span_id, payload, created_at, key"
"""The columns of `task_events`, in the order in which `event_of` takes them."""

INSERT = f"INSERT INTO task_events ({COLUMNS}, quiet) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

S = TypeVar("S")
_encoder = msgspec.json.Encoder()


def event_of(row: Sequence[Any]) -> Event:
    """The event of one row of `task_events`."""
    return Event(
        event_id=row[0],
        task_id=row[1],
        seq=row[2],
        event_type=row[3],
        phase=row[4],
        actor=row[5],
        span_id=row[6],
        parent_span_id=row[7],
        payload_json=msgspec.Raw(row[8]),
        created_at=row[9],
        key=row[10],
    )


def wire(value: object) -> str:
    """A projection's value as JSON text."""
    return _encoder.encode(value).decode()


_decoders: dict[type, msgspec.json.Decoder[Any]] = {}


def decode(kind: type[S], text: str) -> S:
    """A projection's value from its JSON text."""
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    value: S = decoder.decode(text)
    return value
