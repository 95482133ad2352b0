"""The contract of every kind of store; `tests/store/contract/` runs against each kind.

A store appends: the events of a task, their seqs, the counters and the projections change in one transaction, and an
append returns after its commit. A store reads: each `Store.read()` is one consistent view.

The order of `event_id` is the order of the commits: once any reader has seen an event, no event with a lower id appears
any more. Everything that follows the log depends on it. The tail, streams, relays and consumers keep one number and ask
for the events after it; an event that came later with a lower id would be skipped for ever. SQLite has one writer at a
time, so ids that are taken within the write transaction are in this order. A database with concurrent writers, such as
PostgreSQL, gives out sequence numbers before the commit: there a store must take the ids under a lock that it holds
until the commit, or show readers only the events below the oldest transaction that is still open.
"""

from __future__ import annotations

from signalbox.store.contract.consuming import Claim
from signalbox.store.contract.following import Peek, Watch
from signalbox.store.contract.people import People
from signalbox.store.contract.reading import Reading, TaskReading
from signalbox.store.contract.store import Store
from signalbox.store.contract.values import Head, LogHits, LogQuery, Standing, StoreStats, TaskPage, TaskRecord, Who

__all__ = [
    "Claim",
    "Head",
    "LogHits",
    "LogQuery",
    "Peek",
    "People",
    "Reading",
    "Standing",
    "Store",
    "StoreStats",
    "TaskPage",
    "TaskReading",
    "TaskRecord",
    "Watch",
    "Who",
]
