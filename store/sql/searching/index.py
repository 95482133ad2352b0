"""The writes of the search index. `search_blocks` has a row for each block, `search_state` one row in all.

The pieces of text are in an index of the database, which differs by kind: see `database.TextIndex`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from signalbox.store.contract.leasing import Fence
from signalbox.store.search.coarse import blocks_of
from signalbox.store.search.documents import BLOCK_EVENTS, Document
from signalbox.store.sql import leases
from signalbox.store.sql.database import Database

ERASURES = "erasures"
"""The row of `store_facts` that counts erasures, so that nobody keeps what was read before."""

CHANGES = "search_changes"
"""The row of `store_facts` that counts the changes of stored events, so that one during indexing is noticed."""

COUNT = (
    "INSERT INTO store_facts (name, value) VALUES (?, '1')"
    " ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(store_facts.value AS INTEGER) + 1 AS TEXT)"
)
"""Increments a counter of `store_facts`."""

_CHANGED = "INSERT INTO search_changed (block) VALUES (?) ON CONFLICT DO NOTHING"
_BLOCKS = (
    f"INSERT INTO search_changed SELECT DISTINCT event_id / {BLOCK_EVENTS} FROM task_events WHERE task_id = ?"
    f" AND {{where}} AND event_id < (SELECT next_block FROM search_state) * {BLOCK_EVENTS} ON CONFLICT DO NOTHING"
)


def open_index(db: Database, fence: Fence) -> str:
    """Create the index if it does not exist. Return why there can be none, or ""."""
    leases.check(db, fence)
    problem = db.text_index.create()
    db.execute("UPDATE search_state SET is_on = ?, problem = ?", (0 if problem else 1, problem))
    return problem


def index(
    db: Database,
    fence: Fence,
    documents: Sequence[Document],
    blocks: Sequence[int],
    next_block: int | None,
    erasures: int | None = None,
    changes: int | None = None,
) -> float:
    """Replace the documents of these blocks, and record the progress in the same transaction. Return its seconds.

    Does nothing if there have been other `erasures` since the events were read. If there have been other `changes`,
    the blocks count as changed, so that they are indexed again.
    """
    began = time.perf_counter()
    leases.check(db, fence)
    if erasures is not None and _counted(db, ERASURES) != erasures:
        return time.perf_counter() - began
    db.text_index.remove(blocks)
    if changes is not None and _counted(db, CHANGES) != changes:
        db.executemany(_CHANGED, [(block,) for block in blocks])
    else:
        among, values = db.dialect.among("block", blocks)
        db.execute(f"DELETE FROM search_changed WHERE {among}", values)
    if next_block is not None:
        db.execute("UPDATE search_state SET next_block = ?", (next_block,))
    if documents:
        db.text_index.add(documents)
    return time.perf_counter() - began


def _counted(db: Database, name: str) -> int:
    found = db.execute("SELECT value FROM store_facts WHERE name = ?", (name,)).fetchone()
    return int(found[0]) if found else 0


def index_part(db: Database, fence: Fence, part: int, bits: bytes | None) -> None:
    """Replace the documents of the blocks of a part by its filter, or with None remove the filter of a part."""
    leases.check(db, fence)
    db.execute("DELETE FROM search_parts WHERE part = ?", (part,))
    if bits is not None:
        db.text_index.remove(blocks_of(part))
        db.execute("INSERT INTO search_parts (part, filter) VALUES (?, ?)", (part, bits))


def tidy(db: Database, fence: Fence) -> bool:
    """Do one step of the work that keeps the index fast. Return whether there may be more to do."""
    leases.check(db, fence)
    return db.text_index.tidy()


def drop(db: Database, fence: Fence, limit: int) -> bool:
    """Remove a part of the index, and return whether more is left."""
    leases.check(db, fence)
    db.execute("UPDATE search_state SET is_on = 0, next_block = 0")
    if db.text_index.drop_part(limit):
        return True
    for table, key in (("search_changed", "block"), ("search_parts", "part")):
        some = f"SELECT {key} FROM {table} LIMIT ?"
        if db.execute(f"DELETE FROM {table} WHERE {key} IN ({some})", (limit,)).rowcount > 0:
            return True
    db.execute("DELETE FROM search_times")
    db.execute("UPDATE search_state SET rebuild = 0")
    return False


def rebuild(db: Database) -> None:
    """Ask for a new index."""
    db.execute("UPDATE search_state SET rebuild = 1")


def changed(db: Database, task_id: str, seqs: Sequence[int]) -> None:
    """Record that these stored events have changed, so that they are indexed again. Call it where that happens."""
    among, values = db.dialect.among("seq", seqs)
    db.execute(_BLOCKS.format(where=among), (task_id, *values))
    db.execute(COUNT, (CHANGES,))


def kind_changed(db: Database, task_id: str) -> None:
    """Record that a task has another kind, which the documents of all its events contain."""
    db.execute(_BLOCKS.format(where="TRUE"), (task_id,))
    db.execute(COUNT, (CHANGES,))
