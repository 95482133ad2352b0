"""The link of an event: a SHA-256 over the link of the event before it and the event's canonical form.

The canonical form leaves out `event_id` and `task_id`, so that a chain survives an import under another id.
"""

from __future__ import annotations

from hashlib import sha256

import msgspec

from signalbox.store.events import Event

START = sha256(b"signalbox chain 1").digest()
"""The link before the first event of a chain. Its text names the version of the canonical form."""

LINK_BYTES = 32


def link_of(event: Event, before: bytes, origin: str | None = None) -> bytes:
    """Return the link of an event after the link `before`. `origin` replaces the event's own one, "" stands for none.

    `store/sql/append.py` computes the same value without an Event, because appends are frequent.
    """
    return sha256(before + canonical(event, origin)).digest()


def canonical(event: Event, origin: str | None = None) -> bytes:
    """Return the canonical form: ten fields, each with a line feed, then the payload's JSON text as it is stored.

    A field that an event does not have is empty. No field contains a line feed: see `has_line_break`.
    """
    if origin is None:
        origin = "" if event.origin is msgspec.UNSET else event.origin
    occurred_at = None if event.occurred_at is msgspec.UNSET else event.occurred_at
    fields = fields_of(
        event.seq,
        event.event_type,
        event.phase,
        event.actor,
        event.span_id,
        event.parent_span_id,
        event.created_at,
        occurred_at,
        event.key,
        origin,
    )
    return fields + bytes(event.payload_json)


def fields_of(
    seq: int,
    event_type: str,
    phase: str | None,
    actor: str,
    span_id: str,
    parent: str | None,
    created_at: str,
    occurred_at: str | None,
    key: str | None,
    origin: str | None,
) -> bytes:
    """Return the part of the canonical form before the payload."""
    fields = (
        f"{seq}\n{event_type}\n{phase or ''}\n{actor}\n{span_id}\n{parent or ''}\n{created_at}\n{occurred_at or ''}\n"
        f"{key or ''}\n{origin or ''}\n"
    )
    return fields.encode(errors="surrogatepass")


def has_line_break(event: Event) -> bool:
    """Return whether a field other than the payload contains a line feed, which no append accepts.

    Then two different events could have the same canonical form.
    """
    fields = (event.event_type, event.phase, event.actor, event.span_id, event.parent_span_id, event.created_at)
    occurred_at = None if event.occurred_at is msgspec.UNSET else event.occurred_at
    return any("\n" in field for field in (*fields, occurred_at, event.key) if field)
