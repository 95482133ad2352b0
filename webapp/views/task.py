"""The task page, read in one consistent view of the store.

A fresh page is the whole view. A frame is the part of it that changed after a cursor. Both use the same values, so both
become the same HTML.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from operator import attrgetter

import msgspec

from signalbox.store import Event
from signalbox.store.contract import TaskPageReading
from signalbox.store.state import Artifact, Checkpoint, Permission, Phase, Resources, SentMessage, Task, Unfinished
from signalbox.store.traces.tasks import only_reports
from signalbox.webapp.views import task_parts
from signalbox.webapp.views.log import LOG_WINDOW, log_rows
from signalbox.webapp.views.outcome import Outcome
from signalbox.webapp.views.retries import Offer, offer_of
from signalbox.webapp.views.span_depths import span_depths
from signalbox.webapp.views.span_tree import SpanLine, lines, with_omitted

PHASES = 30
CHECKPOINTS = 20
ARTIFACTS = 10
OPEN_SPANS = 40
ENDED_SPANS = 20
PERMISSIONS = 20
MESSAGES = 20
"""How many of each the page shows."""


@dataclass(frozen=True, kw_only=True)
class TaskView:
    """A task as of the event `seq`: all of it (`since` 0), or the parts that changed after `since`.

    `rows` has the newest rows after `since`, at most `window`; `skipped` says that there are more. `depths` has the
    depths of the spans of these rows: see `span_depths`.
    """

    task: Task
    since: int = 0
    window: int = LOG_WINDOW
    phases: list[Phase] = field(default_factory=list)
    lines: list[SpanLine] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)
    permissions: list[Permission] = field(default_factory=list)
    messages: list[SentMessage] = field(default_factory=list)
    rows: list[Event] = field(default_factory=list)
    depths: Mapping[str, int] = field(default_factory=dict)
    skipped: bool = False
    earlier: list[list[Phase]] = field(default_factory=list)
    offer: Offer | None = None
    outcome: Outcome | None = None
    may_answer: bool = True
    unfinished: list[Unfinished] = field(default_factory=list)
    resources: Resources | None = None

    @property
    def outside_log(self) -> str:
        """The name of the state that is stored outside the log, which changes without an event; "" if there is none."""
        task = self.task
        shown = (task.stale, task.archived_at is not None, task.hold, task.cold_since, self.unfinished)
        return blake2b(msgspec.json.encode(shown), digest_size=8).hexdigest() if any(shown) else ""

    @property
    def seq(self) -> int:
        """The newest seq of the view."""
        return self.task.latest_seq

    @property
    def first_seq(self) -> int:
        """The oldest seq in the window of the log; a cursor for earlier rows."""
        return self.rows[0].seq if self.rows else self.seq + 1

    @property
    def cut(self) -> bool:
        """Whether the log has more rows than the window."""
        return self.task.rows > self.window

    @property
    def listens(self) -> bool:
        """Whether the run's program may read requests to cancel and messages. A trace of OpenTelemetry has no such."""
        return not only_reports(self.task)

    @property
    def changed_lines(self) -> list[SpanLine]:
        """The span lines that changed after `since`."""
        return [line for line in self.lines if line.span.changed_seq > self.since and not line.more]

    @property
    def omitted_spans(self) -> int:
        """The number of spans without a line."""
        return self.task.spans_total - sum(not line.more for line in self.lines)


CHANGED_AT: dict[str, tuple[str, ...]] = {
    task_parts.PAGE_META: ("header_seq", "permissions_seq"),
    task_parts.TASK_HEADER: ("header_seq", "permissions_seq"),
    task_parts.FAILURE: ("outcome_seq", "ended_seq"),
    task_parts.TRACK: ("header_seq", "phases_seq", "permissions_seq", "resources_seq"),
    task_parts.PERMISSIONS: ("permissions_seq",),
    task_parts.MESSAGES: ("messages_seq", "header_seq"),
    task_parts.SPANS: ("spans_seq",),
    task_parts.CHECKPOINTS: ("checkpoints_seq",),
    task_parts.ARTIFACTS: ("artifacts_seq",),
    task_parts.LOG_HEAD: ("latest_seq",),
    task_parts.LOG_ALIVE: ("header_seq", "heartbeat_seq"),
}
"""The fields of `Task` with the seqs that changed a part of the task page, by the part's DOM id."""

_OF_EVERY_EVENT = {part for part, names in CHANGED_AT.items() if names == ("latest_seq",)}
_seqs_of_few_events = attrgetter(*sorted({name for names in CHANGED_AT.values() for name in names} - {"latest_seq"}))

SHOWS_OUTCOME = {task_parts.TASK_HEADER, task_parts.FAILURE}
"""The parts that show the outcome of a run."""


def changed_parts(task: Task, since: int) -> set[str]:
    """Return the DOM ids of the parts of the task page that changed after `since`."""
    if task.latest_seq > since >= max(_seqs_of_few_events(task)):
        # Most events are log lines, which change nothing else.
        return _OF_EVERY_EVENT.copy()
    changed = {part for part, names in CHANGED_AT.items() if any(getattr(task, name) > since for name in names)}
    return changed if task.messages_total else changed - {task_parts.MESSAGES}


async def task_view(
    view: TaskPageReading,
    task_id: str,
    *,
    since: int = 0,
    window: int = LOG_WINDOW,
    earlier: Callable[[Task], Awaitable[list[list[Phase]]]] | None = None,
    outcome: Callable[[Task], Awaitable[Outcome | None]] | None = None,
    key: bytes | None = None,
    may_answer: bool = True,
) -> TaskView:
    """Read the task page; with `since`, only the parts that changed after that seq. Raises UnknownTask.

    `earlier` finds the phases of earlier runs, from which the page forecasts the next step, and `outcome` the outcome
    of a run that has ended. `may_answer`: the reader may answer and cancel the run. With the store's `key` the page
    offers to run a command again.
    """
    task = await view.task(task_id)
    changed = changed_parts(task, since) if since else CHANGED_AT.keys()
    rows, skipped = await log_rows(view, task, since, window)

    def has(part: str, total: int) -> bool:
        # Most tasks lack some of these. A query without a result takes as long as one with a few rows.
        return part in changed and (total > 0 or task.unreadable)

    return TaskView(
        task=task,
        since=since,
        window=window,
        phases=(await view.phases(task_id))[-PHASES:] if has(task_parts.TRACK, task.phases_total) else [],
        lines=await _span_lines(view, task, 0 if task_parts.SPANS in changed else since),
        checkpoints=await view.checkpoints(task_id, CHECKPOINTS)
        if has(task_parts.CHECKPOINTS, task.checkpoints_total)
        else [],
        artifacts=await view.artifacts(task_id, ARTIFACTS) if has(task_parts.ARTIFACTS, task.artifacts_total) else [],
        permissions=await view.permissions(task_id, limit=PERMISSIONS)
        if has(task_parts.PERMISSIONS, task.permissions_open)
        else [],
        messages=await view.latest_messages(task_id, MESSAGES) if has(task_parts.MESSAGES, task.messages_total) else [],
        rows=rows,
        depths=await span_depths(view, task, rows),
        skipped=skipped,
        earlier=await earlier(task) if earlier and task_parts.TRACK in changed else [],
        offer=await offer_of(view, task, key) if task_parts.TASK_HEADER in changed else None,
        outcome=await outcome(task) if outcome and task.ended and changed & SHOWS_OUTCOME else None,
        may_answer=may_answer,
        unfinished=await view.unfinished(task_id),
        resources=await _resources(view, task) if task_parts.TRACK in changed else None,
    )


async def _resources(view: TaskPageReading, task: Task) -> Resources | None:
    span = await view.span(task.task_id, task.resources_span) if task.resources_span else None
    return span.resources if span else None


async def _span_lines(view: TaskPageReading, task: Task, since: int) -> list[SpanLine]:
    if since and not await view.spans_changed(task.task_id, since, 1):
        return []
    tree = lines(await view.span_window(task.task_id, OPEN_SPANS, ENDED_SPANS))
    if len(tree) == task.spans_total:
        return tree
    return with_omitted(tree, await view.child_counts(task.task_id, [line.span.span_id for line in tree]))
