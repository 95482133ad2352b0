"""The marks that `signalbox migrate-store` leaves in the two databases of a move, as rows of `store_facts`.

| mark | is in | from | until |
|---|---|---|---|
| `moving_from` | the target | the start of the copy | the switch |
| `moved_to` | the source | the switch | the source becomes a target |
| `moved_from` | the target | the switch | it becomes a target again |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from signalbox.store.errors import StoreIncomplete, StoreMoved

MOVING_FROM, MOVED_TO, MOVED_FROM = "moving_from", "moved_to", "moved_from"
MARKS = (MOVING_FROM, MOVED_TO, MOVED_FROM)

FACTS = ("epoch", "key", MOVING_FROM, MOVED_TO)
"""The facts that a store reads when it opens a database."""

MOVED = ("store_moved", "the store was moved to another database: restart the server with its new URL")
"""The problem of a server whose store was moved."""


class Moving(msgspec.Struct):
    """An unfinished move into this database: from `url`, which has no password, with everything up to `position`.

    `move` identifies the move, and `epoch` the store that is moved. `position` is an event id of the source.
    """

    move: str
    url: str
    epoch: str
    position: int = 0


class Moved(msgspec.Struct):
    """A finished move. `url` is that of the other database; only `moved_to` may contain a password."""

    move: str
    url: str
    at: str


M = TypeVar("M", Moving, Moved)


def mark_in(facts: Mapping[str, str], name: str, kind: type[M]) -> M | None:
    """Return a mark, or None if the database does not have it."""
    return msgspec.json.decode(facts[name], type=kind) if name in facts else None


def moved_to(connection: Any) -> str | None:
    """Return the URL to which the store was moved, or None. `connection` is one of the driver."""
    row = connection.execute(f"SELECT value FROM store_facts WHERE name = '{MOVED_TO}'").fetchone()
    return None if row is None else msgspec.json.decode(row[0], type=Moved).url


def to_fact(mark: Moving | Moved) -> str:
    """Return a mark as the value of a fact."""
    return msgspec.json.encode(mark).decode()


def refuse_moved(facts: Mapping[str, str]) -> None:
    """Raise StoreMoved if the store was moved away, and StoreIncomplete if a move into the database is unfinished."""
    if (away := mark_in(facts, MOVED_TO, Moved)) is not None:
        raise StoreMoved(away.url)
    if (coming := mark_in(facts, MOVING_FROM, Moving)) is not None:
        raise StoreIncomplete(
            f"this database is the target of an unfinished move from {coming.url};"
            " run the same `signalbox migrate-store` again to complete it"
        )
