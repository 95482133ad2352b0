"""The result of a verification: what is wrong with a log, and how far it is proved."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal[
    "changed",
    "link_changed",
    "link_removed",
    "removed",
    "inserted",
    "order",
    "missing_end",
    "head",
    "signature",
    "tombstone",
    "unsigned",
    "unreadable",
]
"""The kinds of faults. `docs/verification.md` explains each of them."""

MAX_FAULTS = 100
"""Faults that a report lists. It counts the others."""


class Fault(msgspec.Struct, frozen=True):
    """One fault. `seq` is the event that it concerns, or None if it concerns no single event."""

    kind: Kind
    seq: int | None
    message: str


class SeqRange(msgspec.Struct, frozen=True):
    """The events from seq `first` to seq `last`."""

    first: int
    last: int


class LogReport(msgspec.Struct):
    """The verification of one log.

    `linked_from` is the seq of the first event with a link, None if no event has one. `unlinked` are later events
    without a link, which an earlier version of Signalbox appended. `signed_to` is the seq of the newest head whose
    signature was checked. `unchecked` counts the heads whose key is not known here. `redacted` and `erased` are seqs of
    such events, `redacted_count` and `erased_count` their numbers, because the lists stop at `MAX_FAULTS`.
    """

    task_id: str
    events: int = 0
    latest_seq: int = 0
    ended: bool = False
    linked_from: int | None = None
    unlinked: list[SeqRange] = []
    signed_to: int | None = None
    signed_by: list[str] = []
    unchecked: int = 0
    redacted: list[int] = []
    redacted_count: int = 0
    erased: list[int] = []
    erased_count: int = 0
    imported_to: int = 0
    faults: list[Fault] = []
    fault_count: int = 0

    @property
    def intact(self) -> bool:
        """Whether nothing is wrong."""
        return self.fault_count == 0

    def add(self, kind: Kind, seq: int | None, message: str) -> None:
        """Add a fault."""
        self.fault_count += 1
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(Fault(kind, seq, message))

    def add_redacted(self, seq: int) -> None:
        """Record that an event was redacted."""
        self.redacted_count += 1
        if len(self.redacted) < MAX_FAULTS:
            self.redacted.append(seq)

    def add_erased(self, seq: int) -> None:
        """Record that an event was erased."""
        self.erased_count += 1
        if len(self.erased) < MAX_FAULTS:
            self.erased.append(seq)

    def add_unlinked(self, first: int, last: int) -> None:
        """Record that these events have no link."""
        if len(self.unlinked) < MAX_FAULTS:
            self.unlinked.append(SeqRange(first, last))
