"""What pages show, read in one consistent view of the store.

A page is everything; a frame is what changed after a cursor. Both are the same values, so both are the same HTML.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from store import Event, LogHits, LogQuery, Reading, SavedView, TaskQuery, TaskReading
from store.state import Checkpoint, Permission, Phase, Span, Task
from webapp import ids
from webapp.listquery import list_fields
from webapp.retries import Offer, offer_of
from webapp.spantree import SpanLine, lines

LOG_WINDOW = 200
PHASES = 30
CHECKPOINTS = 20
OPEN_SPANS = 40
ENDED_SPANS = 20
SPANS_PAGE = 500


@dataclass(frozen=True, kw_only=True)
class TaskView:
    """One task after the event `seq`: all of it (`since` 0), or the parts that changed after `since`."""

    task: Task
    since: int = 0
    window: int = LOG_WINDOW
    phases: list[Phase] = field(default_factory=list)
    lines: list[SpanLine] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)
    permissions: list[Permission] = field(default_factory=list)
    rows: list[Event] = field(default_factory=list)
    earlier: list[list[Phase]] = field(default_factory=list)
    offer: Offer | None = None
    may_answer: bool = True

    @property
    def seq(self) -> int:
        """The newest seq that this view knows of."""
        return self.task.latest_seq

    @property
    def first_seq(self) -> int:
        """The oldest seq in the window of the log."""
        return max(1, self.seq - self.window + 1)

    @property
    def changed_lines(self) -> list[SpanLine]:
        """The span lines that changed after `since`."""
        return [line for line in self.lines if line.span.changed_seq > self.since]


def flags_of(task: Task) -> str:
    """What is kept of a task beside its log, in words: no seq tells when that changed."""
    return " ".join(word for word, on in (("stale", task.stale), ("archived", task.archived_at)) if on)


def changed_at(task: Task, part: str) -> int:
    """The seq that last changed a part of the task page; `part` is its DOM id."""
    return {
        ids.PAGE_META: max(task.header_seq, task.permissions_seq),
        ids.TASK_HEADER: max(task.header_seq, task.permissions_seq),
        ids.TRACK: max(task.header_seq, task.phases_seq, task.permissions_seq),
        ids.PERMISSIONS: task.permissions_seq,
        ids.SPANS: task.spans_seq,
        ids.CHECKPOINTS: task.checkpoints_seq,
        ids.LOG_HEAD: task.latest_seq,
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

    return TaskView(
        task=task,
        since=since,
        window=window,
        phases=(await view.phases(task_id))[-PHASES:] if stale(ids.TRACK) else [],
        lines=await _span_lines(view, task_id, 0 if stale(ids.SPANS) else since),
        checkpoints=await view.checkpoints(task_id, CHECKPOINTS) if stale(ids.CHECKPOINTS) else [],
        permissions=await view.permissions(task_id) if stale(ids.PERMISSIONS) else [],
        rows=await log_rows(view, task, since, window),
        earlier=await earlier(task) if earlier and stale(ids.TRACK) else [],
        offer=await offer_of(view, task, key) if stale(ids.TASK_HEADER) else None,
        may_answer=may_answer,
    )


async def _span_lines(view: TaskReading, task_id: str, since: int) -> list[SpanLine]:
    if since and not await view.spans_changed(task_id, since, 1):
        return []
    return lines(await view.span_window(task_id, OPEN_SPANS, ENDED_SPANS))


async def log_rows(view: TaskReading, task: Task, since: int, window: int) -> list[Event]:
    """The events after `since` in the order of the log, the newest `window` of them at most."""
    if task.latest_seq - since > window:
        return (await view.latest_events(task.task_id, window))[::-1]
    return await view.events(task.task_id, since, window)


@dataclass(frozen=True, kw_only=True)
class LogWindow:
    """A stretch of a task's log, anywhere in it; `aimed` is the seq that it lies around."""

    task: Task
    rows: list[Event]
    aimed: int | None = None

    @property
    def before(self) -> int | None:
        """The cursor of the stretch before this one."""
        return self.rows[0].seq if self.rows and self.rows[0].seq > 1 else None

    @property
    def after(self) -> int | None:
        """The cursor of the stretch after this one."""
        return self.rows[-1].seq if self.newer else None

    @property
    def newer(self) -> int:
        """How many events come after this stretch."""
        return self.task.latest_seq - self.rows[-1].seq if self.rows else 0


async def log_window(
    view: Reading,
    task_id: str,
    *,
    before: int | None = None,
    after: int | None = None,
    around: int | None = None,
    window: int = LOG_WINDOW,
) -> LogWindow:
    """A stretch of the log: just before or after a seq, around one, or the newest. Raises UnknownTask."""
    task = await view.task(task_id)
    if around is not None:
        after = max(0, min(around, task.latest_seq) - window // 2)
    if after is not None:
        rows = await view.events(task_id, after, window)
    else:
        rows = (await view.latest_events(task_id, window, before))[::-1]
    return LogWindow(task=task, rows=rows, aimed=around)


@dataclass(frozen=True, kw_only=True)
class HitsView:
    """What was found in a task's log, from the hit after the seq `after` on."""

    task: Task
    hits: LogHits
    after: int


async def hits_view(view: Reading, task_id: str, query: LogQuery, *, after: int = 0) -> HitsView:
    """One page of the events that `query` means. Raises UnknownTask."""
    task = await view.task(task_id)
    return HitsView(task=task, hits=await view.search(task_id, query, after, LOG_WINDOW), after=after)


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
        saved=await view.saved_views(),
        cursor=page.cursor,
        event_id=page.event_id,
        manages=manages,
    )
