"""Reads of events: those of one task, and those of all tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from signalbox.store.contract.values import Head, LogHits, LogQuery
from signalbox.store.events import Event
from signalbox.store.state import TaskState


class NewRowsReading(Protocol):
    """Reads of the events of one task that its page needs. Its rows are its events without the heartbeats."""

    async def events(self, task_id: str, since_seq: int = 0, limit: int = 100) -> list[Event]:
        """Return the first `limit` events after `since_seq`, by seq."""

    async def rows_before(self, task_id: str, before: int, limit: int = 100, since: int = 0) -> list[Event]:
        """Return the newest `limit` rows above `since` and below `before`, by seq.

        `before` must be at most the newest seq plus 1.
        """

    async def events_at(self, task_id: str, seqs: Sequence[int]) -> list[Event]:
        """Return the events that have these seqs, by seq. Seqs that do not exist are left out."""


class TaskLogReading(NewRowsReading, Protocol):
    """Reads of the log of one task."""

    async def latest_events(self, task_id: str, limit: int = 50, before: int | None = None) -> list[Event]:
        """Return the newest `limit` events below the seq `before` (None: of all), the newest first."""

    async def rows_after(self, task_id: str, since_seq: int, limit: int = 100) -> list[Event]:
        """Return the first `limit` rows after `since_seq`, by seq."""

    async def count_rows(self, task_id: str, until_seq: int) -> int:
        """Return the number of rows up to `until_seq`, which is at most the newest seq."""

    async def events_of_types(
        self, task_id: str, types: Sequence[str], limit: int = 1000, *, naming: str = "", after: int = 0
    ) -> list[Event]:
        """Return the first `limit` events after the seq `after` that have one of these types, by seq.

        `naming` restricts them to those whose payload's JSON contains this text, ignoring the case of ASCII letters.
        """

    async def failures(self, task_id: str, after: int = 0, limit: int = 100) -> list[Event]:
        """Return the first `limit` events after the seq `after` that report a failure, by seq."""

    async def error_output(self, task_id: str, before: int, limit: int, since: int = 0) -> list[Event]:
        """Return the newest `limit` log lines of stderr above the seq `since` and below `before`, by seq."""

    async def search(self, task_id: str, query: LogQuery, after: int = 0, limit: int = 100) -> LogHits:
        """Return a page of the events that `query` finds: the first `limit` after the seq `after`, by seq."""


class LogReading(Protocol):
    """Reads of the log of one task as it is now, and of the log of all tasks."""

    async def head(self, task_id: str) -> Head:
        """Return the ends of a task's log. Raises UnknownTask."""

    async def changing_events(self, task_id: str, since_seq: int, until_seq: int, limit: int) -> list[Event]:
        """Return the first `limit` events that change more than counters, by seq: see `projections.apply`.

        Their seqs are above `since_seq` and at most `until_seq`.
        """

    async def times(self, task_id: str, since_seq: int, until_seq: int) -> list[str]:
        """Return the `created_at` of each event with `since_seq` < seq <= `until_seq`, by seq."""

    async def folded_state(self, task_id: str, seq: int, after: int = 0) -> TaskState | None:
        """Return the last state up to a seq that is stored with the log, or None if there is none after `after`.

        Only cold storage has such states.
        """

    async def events_of_phase(self, task_id: str, phase: str, limit: int = 100, since_seq: int = 0) -> list[Event]:
        """Return the first `limit` events of this phase after `since_seq`, by seq."""

    async def next_failure(self, task_id: str, after: int) -> int | None:
        """Return the seq of the first failure after the seq `after`, or None. See `LogQuery.failures`."""

    async def previous_failure(self, task_id: str, before: int) -> int | None:
        """Return the seq of the last failure before the seq `before`, or None."""

    async def first_seq_at(self, task_id: str, at: str) -> int | None:
        """Return the seq of the earliest event that happened at the timestamp `at` or later, or None.

        The time of an event is its `happened_at`, which rows show. Of events with the same time, the first one counts.
        """

    async def events_after(
        self, event_id: int, limit: int = 1000, tasks: Sequence[str] = (), projects: Sequence[str] | None = None
    ) -> list[Event]:
        """Return the first `limit` events of all tasks after `event_id`, by event id, each with its `identity`.

        `tasks` and `projects` restrict the result to these tasks, and to the tasks in these projects.
        """

    async def latest_event_id(self) -> int:
        """Return the newest event id, 0 in a new store. It also grows when a task changes without an event."""
