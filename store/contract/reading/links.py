"""Reads of the links and signed heads of a log, for exports and verification."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from signalbox.store.chain.heads import SignedHead
from signalbox.store.chain.verification import Claims


class StoredLink(NamedTuple):
    """The link of an event, None if an earlier version appended it. `redacted`: it was redacted before its import."""

    link: bytes | None
    redacted: bool


class UnsignedLog(NamedTuple):
    """The head of a log that is to be signed. `ended`: the run has ended with this event."""

    task_id: str
    identity: str
    seq: int
    link: bytes
    ended: bool


class LinkReading(Protocol):
    """Reads of the links of one task's log."""

    async def log_claims(self, task_id: str) -> Claims:
        """Return the newest link of a log, with its seq and the status of the run. Raises UnknownTask."""

    async def links(self, task_id: str, since_seq: int, until_seq: int) -> dict[int, StoredLink]:
        """Return the links of the events with `since_seq` < seq <= `until_seq`, by seq."""

    async def erasures(self) -> int:
        """Return how many erasures there were in the whole store."""

    async def signed_heads(self, task_id: str, since_seq: int = 0, limit: int = 1000) -> list[SignedHead]:
        """Return the first `limit` signed heads of a log after `since_seq`, by seq."""

    async def unsigned_logs(self, after_id: int, until_id: int, every: int) -> list[UnsignedLog]:
        """Return the logs whose head is to be signed, of the tasks with events in this range of event ids.

        These are the logs that have `every` new events since their last signed head, and those whose run has ended.
        """
