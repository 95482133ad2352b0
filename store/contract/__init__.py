"""The contract of every kind of store; `tests/store/contract/` runs against each kind.

A store appends: the events of a task, their seqs, the counters and the projections change in one transaction, and an
append returns after its commit. A store reads: each `Store.read()` is one consistent view.
"""

from __future__ import annotations

from signalbox.store.contract.following import Peek, Watch
from signalbox.store.contract.people import People
from signalbox.store.contract.reading import Reading, TaskReading
from signalbox.store.contract.store import Store
from signalbox.store.contract.values import Head, LogHits, LogQuery, Standing, StoreStats, TaskPage, TaskRecord, Who

__all__ = [
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
