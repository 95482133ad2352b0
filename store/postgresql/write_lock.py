"""The lock that makes the order of event ids the order of commits.

Each write transaction takes it first and holds it until its commit, so there is one writer at a time in the whole
cluster of processes, as with SQLite. A transaction that got the lock sees everything that was committed before, and
readers never see an event id before a lower one. The lock also makes every "check, then write" of a transaction safe.
"""

from __future__ import annotations

WRITE_LOCK = 0x5349474E414C  # "SIGNAL"
"""The key of the advisory lock. Advisory locks belong to one database of the server."""
