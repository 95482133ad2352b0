"""The documents of the index. One document has the texts and the filter values of the events of one block.

A filter value, such as the level `error`, is one term of three characters: a private-use character that names the
field, and two that stand for the hash of the value. Two values with the same hash only make blocks be read in vain.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache

import msgspec

from signalbox.store.events import HEARTBEAT
from signalbox.store.search.query import SearchQuery
from signalbox.store.search.texts import fields_of, folded
from signalbox.store.times import epoch_seconds

BLOCK_EVENTS = 16
"""Event ids in one block. Smaller blocks make the index larger, and larger ones make more events be read per hit."""

TERM_FIELDS = ("event_type", "phase", "actor", "level", "stream", "project", "kind", "failure")
"""The fields whose values are terms of the index."""

TERM_CHARS = 3

MAX_GRAMS = 32
"""The most pieces of a text that the index is asked for. The events of the found blocks are compared anyway."""

MAX_VALUES = 100
"""With more allowed projects than this, the index is not asked for them."""

LAST_SECOND = 253_402_300_799
"""The last second of the year 9999."""

_FIRST = 0xF0001
_SIZE = 0xF000


class IndexedEvent(msgspec.Struct, frozen=True, array_like=True):
    """The facts of one event that its document needs. `payload` is its JSON without terminal escapes."""

    event_id: int
    event_type: str
    phase: str | None
    actor: str
    payload: str
    happened_at: str
    project_id: str
    kind: str | None
    failure: bool


class Document(msgspec.Struct, frozen=True):
    """The document of a block. `terms` has the terms of each of `TERM_FIELDS`.

    `events` is the number of events that the block had. They happened between `oldest` and `newest`, in whole seconds
    since 1970.
    """

    block: int
    events: int
    oldest: int
    newest: int
    text: str
    terms: tuple[str, ...]


def block_of(event_id: int) -> int:
    """Return the block that an event belongs to."""
    return event_id // BLOCK_EVENTS


def documents_of(events: Iterable[IndexedEvent]) -> list[Document]:
    """Return the documents of the blocks of these events, by block. `events` has all events of these blocks."""
    blocks: dict[int, list[IndexedEvent]] = {}
    for event in events:
        blocks.setdefault(block_of(event.event_id), []).append(event)
    return [_document(block, blocks[block]) for block in sorted(blocks)]


def _document(block: int, events: Sequence[IndexedEvent]) -> Document:
    texts: list[str] = []
    combinations: set[tuple[str | None, ...]] = set()
    for event in events:
        if event.event_type == HEARTBEAT:
            continue
        fields = fields_of(event.payload)
        if text := fields.texts:
            texts.append(folded(text))
        # Most events of a block have the same values, so each combination is split into terms only once.
        combinations.add(
            (
                event.event_type,
                event.phase,
                event.actor,
                _lower(fields.level),
                _lower(fields.stream),
                event.project_id,
                event.kind,
                "1" if event.failure else None,
            )
        )
    times = [event.happened_at for event in events]
    values = zip(*combinations, strict=True) if combinations else ((),) * len(TERM_FIELDS)
    terms = tuple(
        "".join(term(field, value) for value in sorted(set(filter(None, found))))
        for field, found in zip(TERM_FIELDS, values, strict=True)
    )
    oldest, newest = _seconds(min(times), 0), _seconds(max(times), LAST_SECOND) + 1
    return Document(block, len(events), oldest, newest, "\n".join(texts), terms)


@lru_cache(4096)
def term(field: str, value: str) -> str:
    """Return the term of a filter value."""
    number = int.from_bytes(hashlib.blake2b(value.encode(errors="replace"), digest_size=4).digest(), "big")
    return chr(_FIRST + TERM_FIELDS.index(field)) + "".join(
        chr(_FIRST + part % _SIZE) for part in divmod(number, _SIZE)
    )


def wanted_terms(query: SearchQuery) -> list[tuple[str, ...]]:
    """Return the terms that a block with a hit has: at least one of each tuple."""
    values = {
        "event_type": query.event_type,
        "phase": query.phase,
        "actor": query.actor,
        "level": query.level.lower(),
        "stream": query.stream.lower(),
        "kind": query.kind,
        "failure": "1" if query.failures else "",
    }
    found: list[tuple[str, ...]] = [(term(field, value),) for field, value in values.items() if value]
    if query.within and len(query.within) <= MAX_VALUES:
        found.append(tuple(term("project", project) for project in query.within))
    return found


def grams(text: str) -> list[str]:
    """Return the pieces of three characters by which the index finds `text`, at most `MAX_GRAMS` of them."""
    compared = folded(text)
    found = list(dict.fromkeys(compared[at : at + 3] for at in range(len(compared) - 2)))
    step = -(-len(found) // MAX_GRAMS)
    return found[:: max(1, step)]


def _seconds(at: str, otherwise: int) -> int:
    try:
        return int(epoch_seconds(at))
    except ValueError:
        return otherwise  # a damaged time


def _lower(value: object) -> str | None:
    return value.lower() if isinstance(value, str) else None
