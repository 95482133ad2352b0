"""The links of a block of events, without those that follow from the events themselves.

A link is random to a compressor, and 32 bytes are more than the rest of a compressed event. So a block has the link of
its first event, and for each later one a byte that says with which origin its link is computed: an import changes the
origin of an event, but not its link. A link that does not follow from its event is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from signalbox.store.chain.links import fields_of

FIELDS = (
    *("seq", "event_type", "phase", "actor", "span_id", "parent_span_id", "created_at", "occurred_at", "key"),
    *("origin", "payload"),
)
"""The columns that a link depends on."""

_ORIGINS = {b"\x01": "", b"\x02": "server", b"\x03": "import"}


def compact(links: Sequence[Any], rows: Sequence[Sequence[Any]]) -> list[Any]:
    """Return the links of consecutive events as they are stored. `rows` have the values of `FIELDS`."""
    found, before = list[Any](), None
    for link, row in zip(links, rows, strict=True):
        code = None
        if isinstance(link, bytes) and before is not None:
            code = next((mark for mark, origin in _ORIGINS.items() if _link(row, before, origin) == link), None)
        found.append(code or link)
        if isinstance(link, bytes):
            before = link
    return found


def completed(stored: Sequence[Any], rows: Sequence[Sequence[Any]]) -> list[Any]:
    """Return the links of which `compact` returned `stored`."""
    found, before = list[Any](), None
    for value, row in zip(stored, rows, strict=True):
        origin = _ORIGINS.get(value) if isinstance(value, bytes) else None
        link = _link(row, before, origin) if origin is not None and before is not None else value
        found.append(link)
        if isinstance(link, bytes):
            before = link
    return found


def _link(row: Sequence[Any], before: bytes, origin: str) -> bytes | None:
    seq, event_type, phase, actor, span_id, parent, created_at, occurred_at, key, _, payload = row
    if not isinstance(payload, str):
        return None
    fields = fields_of(seq, event_type, phase, actor, span_id, parent, created_at, occurred_at, key, origin)
    return sha256(before + fields + payload.encode(errors="surrogatepass")).digest()
