"""What pages show, read in one consistent view of the store.

A page is everything; a frame is what changed after a cursor. Both are the same values, so both are the same HTML.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from signalbox.store import Event, LogHits, LogQuery, Reading, SavedView, TaskQuery, TaskReading
from signalbox.store.events import HEARTBEAT
from signalbox.store.state import Checkpoint, Permission, Phase, Span, Task, Unfinished
from signalbox.webapp.views import parts
from signalbox.webapp.views.listquery import list_fields
from signalbox.webapp.views.retries import Offer, offer_of
from signalbox.webapp.views.spantree import SpanLine, lines

LOG_WINDOW = 200
PHASES = 30
CHECKPOINTS = 20
OPEN_SPANS = 40
ENDED_SPANS = 20
PERMISSIONS = 20
SPANS_PAGE = 500


@dataclass(frozen=True, kw_only=True)
class TaskView:
    """One task after the event `seq`: all of it (`since` 0), or the parts that changed after `since`.

    `skipped` says that the log has more rows after `since` than the `window` newest ones, which are in `rows`.
    """

    task: Task
    since: int = 0
    window: int = LOG_WINDOW
    phases: list[Phase] = field(default_factory=list)
    lines: list[SpanLine] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)
    permissions: list[Permission] = field(default_factory=list)
    rows: list[Event] = field(default_factory=list)
    skipped: bool = False
    earlier: list[list[Phase]] = field(default_factory=list)
    offer: Offer | None = None
    may_answer: bool = True
    unfinished: list[Unfinished] = field(default_factory=list)

    @property
    def flags(self) -> str:
        """What is kept of the task beside its log, in words: no seq tells when that changed."""
        return f"{flags_of(self.task)} unfinished".strip() if self.unfinished else flags_of(self.task)

    @property
    def seq(self) -> int:
        """The newest seq that this view knows of."""
        return self.task.latest_seq

    @property
    def first_seq(self) -> int:
        """The oldest seq in the window of the log: a cursor for the rows before it."""
        return self.rows[0].seq if self.rows else self.seq + 1

    @property
    def cut(self) -> bool:
        """Whether the log has more rows than its window shows."""
        return self.task.rows > self.window

    @property
    def changed_lines(self) -> list[SpanLine]:
        """The span lines that changed after `since`."""
        return [line for line in self.lines if line.span.changed_seq > self.since]


FLAGS = ("stale", "archived")
"""The words of `flags_of`, in its order."""


def flags_of(task: Task) -> str:
    """What is kept of a task beside its log, in words: no seq tells when that changed."""
    return " ".join(word for word, on in (("stale", task.stale), ("archived", task.archived_at)) if on)


def changed_at(task: Task, part: str) -> int:
    """The seq that last changed a part of the task page; `part` is its DOM id."""
    return {
        parts.PAGE_META: max(task.header_seq, task.permissions_seq),
        parts.TASK_HEADER: max(task.header_seq, task.permissions_seq),
        parts.TRACK: max(task.header_seq, task.phases_seq, task.permissions_seq),
        parts.PERMISSIONS: task.permissions_seq,
        parts.SPANS: task.spans_seq,
        parts.CHECKPOINTS: task.checkpoints_seq,
        parts.LOG_HEAD: task.latest_seq,
        parts.LOG_ALIVE: max(task.header_seq, task.heartbeat_seq),
    }[part]


async def task_view(
    view: TaskReading,
    task_id: str,
    *,
    since: int = 0,
    window: int = LOG_WINDOW,
    earlier: Callable[[Task], Awaitable[list[list[Phase]]]] | None = None,
    key: bytes | None = None,
    may_answer: bool = True,
) -> TaskView:
    """A task as its page shows it; with `since`, what brings a page at that cursor up to date. Raises UnknownTask.

    With `earlier`, which finds the phases of the earlier runs, it tells the next step. Its reader may answer and stop
    the run if they `may_answer`; with the store's `key` they are offered to run a command again.
    """
    task = await view.task(task_id)

    def stale(part: str) -> bool:
        return since == 0 or changed_at(task, part) > since

    rows, skipped = await log_rows(view, task, since, window)
    return TaskView(
        task=task,
        since=since,
        window=window,
        phases=(await view.phases(task_id))[-PHASES:] if stale(parts.TRACK) else [],
        lines=await _span_lines(view, task_id, 0 if stale(parts.SPANS) else since),
        checkpoints=await view.checkpoints(task_id, CHECKPOINTS) if stale(parts.CHECKPOINTS) else [],
        permissions=await view.permissions(task_id, limit=PERMISSIONS) if stale(parts.PERMISSIONS) else [],
        rows=rows,
        skipped=skipped,
        earlier=await earlier(task) if earlier and stale(parts.TRACK) else [],
        offer=await offer_of(view, task, key) if stale(parts.TASK_HEADER) else None,
        may_answer=may_answer,
        unfinished=await view.unfinished(task_id),
    )


async def _span_lines(view: TaskReading, task_id: str, since: int) -> list[SpanLine]:
    if since and not await view.spans_changed(task_id, since, 1):
        return []
    return lines(await view.span_window(task_id, OPEN_SPANS, ENDED_SPANS))


async def log_rows(view: TaskReading, task: Task, since: int, window: int) -> tuple[list[Event], bool]:
    """The newest rows after `since`, by seq, `window` of them at most; and whether there are more."""
    if task.latest_seq - since <= window:
        events = await view.brief().events(task.task_id, since, window)
        return [event for event in events if event.event_type != HEARTBEAT], False
    rows = await view.brief().rows_before(task.task_id, task.latest_seq + 1, window + 1, since)
    return rows[-window:], len(rows) > window


@dataclass(frozen=True, kw_only=True)
class LogWindow:
    """A stretch of a task's log, anywhere in it, with `older` and `newer` rows before and after it.

    `aimed` is the seq that it lies around. Heartbeats are rows of it if it has them `with_heartbeats`.
    """

    task: Task
    rows: list[Event]
    aimed: int | None = None
    older: int = 0
    newer: int = 0
    with_heartbeats: bool = False

    @property
    def total(self) -> int:
        """How many rows the whole log has."""
        return self.task.latest_seq if self.with_heartbeats else self.task.rows

    @property
    def before(self) -> int | None:
        """The cursor of the stretch before this one."""
        return self.rows[0].seq if self.rows and self.older else None

    @property
    def after(self) -> int | None:
        """The cursor of the stretch after this one."""
        return self.rows[-1].seq if self.newer else None

    @property
    def at_heartbeat(self) -> bool:
        """Whether what was aimed at is a heartbeat that is not shown here."""
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
    """A stretch of the log: just before or after a seq, around one, or the newest. Raises UnknownTask."""
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
    return LogWindow(task=task, rows=rows, aimed=around, older=older, newer=newer, with_heartbeats=with_heartbeats)


async def _events_before(view: Reading, task_id: str, before: int, limit: int) -> list[Event]:
    return (await view.latest_events(task_id, limit, before))[::-1]


@dataclass(frozen=True, kw_only=True)
class HitsView:
    """What was found in a task's log, from the hit after the seq `after` on."""

    task: Task
    hits: LogHits
    after: int


async def hits_view(view: Reading, task_id: str, query: LogQuery, *, after: int = 0) -> HitsView:
    """One page of the events that `query` means. Raises UnknownTask."""
    task = await view.task(task_id)
    return HitsView(task=task, hits=await view.brief().search(task_id, query, after, LOG_WINDOW), after=after)


@dataclass(frozen=True, kw_only=True)
class SpansView:
    """One page of all spans of a task, in the order in which they began; `after` is the next page's cursor."""

    task: Task
    spans: list[Span]
    first: bool
    after: int | None


async def spans_view(view: TaskReading, task_id: str, *, after: int = 0) -> SpansView:
    """The spans that began after the seq `after`. Raises UnknownTask."""
    task = await view.task(task_id)
    spans = await view.spans(task_id, after, SPANS_PAGE + 1)
    more = len(spans) > SPANS_PAGE
    shown = spans[:SPANS_PAGE]
    return SpansView(task=task, spans=shown, first=after == 0, after=shown[-1].started_seq if more else None)


@dataclass(frozen=True, kw_only=True)
class TaskListView:
    """One page of the task list. `counts` are by status, of all tasks that are archived or are not, as the query asks.

    `stale` and `archived` count all tasks that are; `cursor` leads to the tasks that follow. `projects` has the names
    of those that the reader sees.
    """

    query: TaskQuery
    tasks: list[Task]
    counts: dict[str, int]
    stale: int
    archived: int
    projects: dict[str, str]
    saved: list[SavedView]
    cursor: str | None
    event_id: int
    manages: bool = True

    @property
    def filtered(self) -> bool:
        """Whether the query leaves any task out."""
        return bool(list_fields(self.query, "sort")) or self.query.sort == "longest"

    @property
    def around(self) -> tuple[object, ...]:
        """All that a page shows but the rows."""
        return self.counts, self.stale, self.archived, self.projects, self.saved, self.cursor


async def task_list_view(view: Reading, query: TaskQuery, *, manages: bool = True) -> TaskListView:
    """The tasks of one page of `query`, for somebody who `manages` tasks and views or only reads.

    Raises InvalidEvent for a cursor that no page gave.
    """
    page = await view.tasks(query)
    return TaskListView(
        query=query,
        tasks=page.tasks,
        counts=await view.count_by_status(query.within, archived=query.archived or False),
        stale=await view.count_stale(query.within),
        archived=await view.count_archived(query.within),
        projects=await view.project_names(query.projects),
        saved=await view.saved_views(query.projects),
        cursor=page.cursor,
        event_id=page.event_id,
        manages=manages,
    )
