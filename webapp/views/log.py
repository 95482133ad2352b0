"""Rows of a task's log: a window anywhere in it, the newest rows after a cursor, and search results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from signalbox.store import Event, LogHits, LogQuery, Reading
from signalbox.store.contract import TaskPageReading
from signalbox.store.events import HEARTBEAT
from signalbox.store.state import Task
from signalbox.webapp.views.span_depths import span_depths

LOG_WINDOW = 200
"""Rows in a window, and hits on a page of search results."""

WHOLE_BYTES = 2 * 1024 * 1024
"""Maximum bytes of the long payloads that are read for a page of search results, to show the text around the match."""


@dataclass(frozen=True, kw_only=True)
class LogWindow:
    """Consecutive rows of a task's log. `older` and `newer` count the rows before and after them.

    `aimed` is the seq that the window was requested around. Heartbeats are rows only `with_heartbeats`. `depths` has
    the depths of the spans of the rows: see `span_depths`.
    """

    task: Task
    rows: list[Event]
    depths: Mapping[str, int] = field(default_factory=dict)
    aimed: int | None = None
    older: int = 0
    newer: int = 0
    with_heartbeats: bool = False

    @property
    def total(self) -> int:
        """The number of rows of the whole log."""
        return self.task.latest_seq if self.with_heartbeats else self.task.rows

    @property
    def before(self) -> int | None:
        """The cursor of the window before this one; None at the beginning of the log."""
        return self.rows[0].seq if self.rows and self.older else None

    @property
    def after(self) -> int | None:
        """The cursor of the window after this one; None at the end of the log."""
        return self.rows[-1].seq if self.newer else None

    @property
    def at_heartbeat(self) -> bool:
        """Whether `aimed` is the seq of a heartbeat, which the window does not show."""
        aimed, shown = self.aimed, {event.seq for event in self.rows}
        return not self.with_heartbeats and aimed is not None and aimed <= self.task.latest_seq and aimed not in shown


async def log_window(
    view: Reading,
    task_id: str,
    *,
    before: int | None = None,
    after: int | None = None,
    around: int | None = None,
    window: int = LOG_WINDOW,
    with_heartbeats: bool = False,
) -> LogWindow:
    """Return the rows just before or after a seq, around one, or the newest rows. Raises UnknownTask."""
    task = await view.task(task_id)
    everything = with_heartbeats or not task.heartbeats
    brief = view.brief()
    rows_before = partial(_events_before, brief) if everything else brief.rows_before
    rows_after = brief.events if everything else brief.rows_after
    if around is not None:
        rows = await rows_before(task_id, min(around, task.latest_seq) + 1, window // 2)
        rows += await rows_after(task_id, min(around, task.latest_seq), window - len(rows))
    elif after is not None:
        rows = await rows_after(task_id, after, window)
    else:
        rows = await rows_before(task_id, min(before or 2**53, task.latest_seq + 1), window)
    older = newer = 0
    if rows and everything:
        older, newer = rows[0].seq - 1, task.latest_seq - rows[-1].seq
    elif rows:
        older = await view.count_rows(task_id, rows[0].seq) - 1
        newer = task.rows - await view.count_rows(task_id, rows[-1].seq)
    return LogWindow(
        task=task,
        rows=rows,
        depths=await span_depths(view, task, rows),
        aimed=around,
        older=older,
        newer=newer,
        with_heartbeats=with_heartbeats,
    )


async def _events_before(view: Reading, task_id: str, before: int, limit: int) -> list[Event]:
    return (await view.latest_events(task_id, limit, before))[::-1]


async def log_rows(view: TaskPageReading, task: Task, since: int, window: int) -> tuple[list[Event], bool]:
    """Return the newest rows after `since` in the order of seq, at most `window`, and whether there are more."""
    if task.latest_seq - since <= window:
        events = await view.brief().events(task.task_id, since, window)
        return [event for event in events if event.event_type != HEARTBEAT], False
    rows = await view.brief().rows_before(task.task_id, task.latest_seq + 1, window + 1, since)
    return rows[-window:], len(rows) > window


@dataclass(frozen=True, kw_only=True)
class HitsView:
    """One page of search results in a task's log: hits after the seq `after`.

    `whole` has the hits with a shortened payload again, by seq, with their whole payload, in which the match is.
    """

    task: Task
    hits: LogHits
    after: int
    whole: Mapping[int, Event] = field(default_factory=dict)


async def hits_view(view: Reading, task_id: str, query: LogQuery, *, after: int = 0) -> HitsView:
    """One page of the events that match `query`. Raises UnknownTask."""
    task = await view.task(task_id)
    hits = await view.brief().search(task_id, query, after, LOG_WINDOW)
    whole = await _whole(view, task_id, hits.events) if query.text else {}
    return HitsView(task=task, hits=hits, after=after, whole=whole)


async def _whole(view: Reading, task_id: str, hits: list[Event]) -> dict[int, Event]:
    """Return the shortened events of `hits` with their whole payloads, at most `WHOLE_BYTES` of them."""
    seqs, size = list[int](), 0
    for event in hits:
        size += event.cut_from or 0
        if event.cut_from and size <= WHOLE_BYTES:
            seqs.append(event.seq)
    return {event.seq: event for event in await view.events_at(task_id, seqs)} if seqs else {}
