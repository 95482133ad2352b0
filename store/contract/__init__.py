"""The contract of every kind of store. `tests/store/contract/` runs against each kind.

An append changes the events of a task, their seqs, the counters and the projections in one transaction, and returns
after the commit. Each `Store.read()` is one consistent view.

The order of `event_id` is the order of the commits: once a reader has seen an event, no event with a lower id becomes
visible. Everything that follows the log depends on this. The tail, streams, relays and consumers store one number and
request the events after it, so they would never see an event that appears later with a lower id. SQLite has one writer
at a time, so ids assigned in the write transaction are in this order. A database with concurrent writers, such as
PostgreSQL, assigns sequence numbers before the commit. There a store must assign the ids under a lock that it holds
until the commit, or show readers only the events below the oldest open transaction.
"""

from __future__ import annotations

from signalbox.store.contract.following import Peek, Watch
from signalbox.store.contract.leasing import Claim, Fence
from signalbox.store.contract.people import People
from signalbox.store.contract.processes import Processes, SharedCounts
from signalbox.store.contract.reading import Reading, TaskPageReading, TaskReading
from signalbox.store.contract.store import Store
from signalbox.store.contract.values import (
    ColdCounts,
    ColdTask,
    ConversationEntry,
    Facets,
    Head,
    LogHits,
    LogQuery,
    MovableTask,
    RunFacts,
    SameError,
    Standing,
    StoreStats,
    TaskPage,
    TaskRecord,
    Who,
)

__all__ = [
    "Claim",
    "ColdCounts",
    "ColdTask",
    "ConversationEntry",
    "Facets",
    "Fence",
    "Head",
    "LogHits",
    "LogQuery",
    "MovableTask",
    "Peek",
    "People",
    "Processes",
    "Reading",
    "RunFacts",
    "SameError",
    "SharedCounts",
    "Standing",
    "Store",
    "StoreStats",
    "TaskPage",
    "TaskPageReading",
    "TaskReading",
    "TaskRecord",
    "Watch",
    "Who",
]
