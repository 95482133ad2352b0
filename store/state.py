"""The state of a task at one seq: the values that projections fold from the log and pages show.

Every part has `changed_seq`, the seq of the event that last changed it. The parts whose `changed_seq` is greater than
*c* bring a page with the cursor *c* up to date.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from signalbox.store.model_calls.usage import Usage
from signalbox.store.permissions import Allowance as Allowance
from signalbox.store.permissions import Choice as Choice
from signalbox.store.permissions import Permission as Permission
from signalbox.store.tags import MAX_LINKS, MAX_TAGS, Changes, merged, readable_links, readable_tags

Status = Literal["queued", "running", "waiting", "done", "failed", "cancelled", "interrupted"]
STATUSES: tuple[Status, ...] = (
    "queued",
    "running",
    "waiting",
    "done",
    "failed",
    "cancelled",
    "interrupted",
)
ACTIVE_STATUSES: tuple[Status, ...] = ("queued", "running", "waiting")
ENDED_STATUSES: frozenset[str] = frozenset(STATUSES) - frozenset(ACTIVE_STATUSES)


class Progress(msgspec.Struct, frozen=True):
    """The progress of a run or span. `percentage` is 0 to 100. `current` and `total` are in the run's own unit."""

    percentage: float
    current: float | None = None
    total: float | None = None


class Activity(msgspec.Struct, kw_only=True):
    """The number of events in each `width` seconds of a run, from `since` on. The last bucket ends before `until`."""

    since: str
    width: float
    counts: list[int]
    until: str


class Resources(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The CPU and memory of a run's processes, as its heartbeats report them.

    `cpu` is in per cent of one core, `memory` in bytes. These are the newest values, `max_cpu` and `max_memory` the
    largest ones. `cpu_line` (per cent) and `memory_line` (kilobytes) have the largest value of each `width` seconds
    from `since` on.
    """

    since: str
    width: float
    cpu: float = 0.0
    memory: int = 0
    processes: int = 0
    max_cpu: float = 0.0
    max_memory: int = 0
    cpu_line: list[int] = []
    memory_line: list[int] = []


class Tally(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The parts from which a usage is added up: see `store/projections/usage.py`.

    `before` is the usage of earlier attempts. In the present attempt, `within` is the sum of the reports of the calls
    and of the spans below, of which `priced` have a reported cost, and `summary` is the report of the whole. `last` is
    the newest report, of the call with the id `call`. `waiting` has usage by the id of a parent span that the log has
    not named yet.
    """

    before: Usage = Usage()
    within: Usage = Usage()
    credits: int = 0
    priced: int = 0
    summary: Usage | None = None
    last: Usage | None = None
    call: str = ""
    waiting: dict[str, Usage] = {}


class Trace(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The spans of a task that is a trace, as far as they describe the task: see `store/projections/traces.py`.

    `span_id` is the span that names the task, which is a root span if `has_root`; `failed` and `error` are its outcome.
    `rank` decides between spans: the smallest one names the task. `titled` and `kinded` say that the task has its
    title and its kind from that span. `open_roots` counts the root spans that run. `started_at` and `ended_at` are the
    first start and the last end of all spans. `complete_seq` is the seq of the last event that completed the trace,
    after `quiet` seconds without an event.
    """

    span_id: str = ""
    rank: str = ""
    has_root: bool = False
    failed: bool = False
    error: str | None = None
    titled: bool = False
    kinded: bool = False
    open_roots: int = 0
    started_at: str = ""
    ended_at: str = ""
    complete_seq: int = 0
    quiet: float | None = None


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """A hold: since `at` and for this reason, a person `by` wants the task to be kept as it is."""

    at: str
    by: str
    reason: str


Flags = tuple[bool, bool, Hold | None, bool]
"""The state of a task that is stored outside its log: see `Task.flags`."""


class Task(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A task: its names, its status, and the counters of its log.

    `archived_at`, `stale`, `hold` and `cold_since` do not come from the log: they are stored outside it, and readers
    fill them in. `cold_since` is the time at which the task was moved to cold storage, None while it is in the
    database.
    `unreadable` is true if the stored state is damaged: then only the task's id, its times and its log are known.
    `ended_seq` is the seq of the event that ended the task, or 0, `outcome_seq` that of the last event that ended it or
    started it again, and `conversation_seq` that of the first event about a model call. `cancel_seqs` are the seqs of
    the first requests to cancel the run. `usage` is the usage of the whole run, None if none was reported. `allowances`
    are the tools that are always allowed in this run, by name. Messages before the seq `messages_since` were for an
    earlier run of the task, which ended. `identity` is new at every creation, so a later task with the same id has a
    different one. `tag_changes` and `link_changes` are what events changed since the creation; None stands for a
    removed name. `trace` is set if the task is a trace of OpenTelemetry.
    """

    task_id: str
    identity: str = ""
    title: str | None = None
    kind: str | None = None
    project_id: str = "default"
    metadata: dict[str, Any] = {}
    tag_changes: Changes = {}
    link_changes: Changes = {}
    created_at: str
    main_span_id: str
    main_span_used: bool = False
    main_span_seq: int = 0

    status: Status = "queued"
    phase: str | None = None
    progress: Progress | None = None
    reported_progress: bool = False
    message: str | None = None
    error: str | None = None
    exit_code: int | None = None
    cancel_requested: bool = False
    cancel_seqs: list[int] = []
    retries: list[str] = []
    started_at: str | None = None
    ended_at: str | None = None
    ended_seq: int = 0
    outcome_seq: int = 0
    updated_at: str
    heartbeat_interval: float | None = None
    heartbeat_at: str | None = None
    resources_span: str = ""
    runner_pid: int | None = None
    runner_version: str | None = None
    activity: Activity | None = None
    archived_at: str | None = None
    cold_since: str | None = None
    stale: bool = False
    hold: Hold | None = None
    unreadable: bool = False

    latest_seq: int = 0
    heartbeats: int = 0
    spans_total: int = 0
    spans_open: int = 0
    items_total: int = 0
    items_done: int = 0
    items_failed: int = 0
    phases_total: int = 0
    checkpoints_total: int = 0
    permissions_open: int = 0
    allowances: dict[str, Allowance] = {}
    messages_total: int = 0
    messages_since: int = 0

    spawn_seq: int = 0
    heartbeat_seq: int = 0
    resources_seq: int = 0
    header_seq: int = 0
    phases_seq: int = 0
    spans_seq: int = 0
    checkpoints_seq: int = 0
    permissions_seq: int = 0
    messages_seq: int = 0
    conversation_seq: int = 0
    usage: Usage | None = None
    tally: Tally | None = None
    labels_seq: int = 0
    artifacts_total: int = 0
    artifacts_seq: int = 0
    trace: Trace | None = None

    @property
    def tags(self) -> dict[str, str]:
        """The tags: those of the metadata, with the changes that events made."""
        return merged(readable_tags(self.metadata.get("tags")), self.tag_changes, MAX_TAGS)

    @property
    def links(self) -> dict[str, str]:
        """The links, in the same way."""
        return merged(readable_links(self.metadata.get("links")), self.link_changes, MAX_LINKS)

    @property
    def rows(self) -> int:
        """The number of rows that pages show of the log: its events without the heartbeats."""
        return self.latest_seq - self.heartbeats

    @property
    def ended(self) -> bool:
        """Whether the run has ended."""
        return self.status in ENDED_STATUSES

    @property
    def flags(self) -> Flags:
        """The state outside the log that frames show: archived, stale, the hold, in cold storage."""
        return self.archived_at is not None, self.stale, self.hold, self.cold_since is not None

    @property
    def deletable(self) -> bool:
        """Whether no run is writing to the task, so that it may be deleted unless it is held."""
        return self.ended or self.status == "queued" or self.unreadable


class Phase(msgspec.Struct, kw_only=True):
    """A phase of the run. Phases are in the order in which the log first names them."""

    phase: str
    first_seq: int
    state: Literal["open", "done", "failed"] = "open"
    declared: bool = False
    entered_at: str
    exited_at: str | None = None
    exited_seq: int | None = None
    items_total: int = 0
    items_done: int = 0
    items_failed: int = 0
    changed_seq: int


class Span(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """A unit of work. Its `state` is `mark` if events name the span but none opened it.

    `model` is the model that its events name. `usage` is the usage of the span with all spans below it. `final` is true
    after a `span_end`. A span never refers to itself, so the garbage collector need not look at it: a state may have
    tens of thousands.
    """

    span_id: str
    parent_span_id: str | None
    kind: str
    name: str
    phase: str | None
    state: Literal["mark", "open", "done", "failed", "cancelled", "interrupted"] = "mark"
    attempts: int = 1
    progress: Progress | None = None
    message: str | None = None
    error: str | None = None
    work_item_id: str | None = None
    work_type: str | None = None
    resources: Resources | None = None
    started_seq: int
    started_at: str
    ended_seq: int | None = None
    ended_at: str | None = None
    changed_seq: int
    model: str | None = None
    usage: Usage | None = None
    tally: Tally | None = None
    final: bool = False


class Checkpoint(msgspec.Struct, kw_only=True):
    """A committed state of the work, with references to its evidence."""

    checkpoint_id: str
    checkpoint_type: str | None
    phase: str | None
    span_id: str
    state: Literal["committed", "verified", "invalid"] = "committed"
    evidence_refs: dict[str, Any] = {}
    evidence_total: int = 0
    message: str | None = None
    seq: int
    created_at: str
    changed_seq: int


class Artifact(msgspec.Struct, kw_only=True):
    """A file that the run has stored, by the event `seq`. `size` is in bytes, and `sha256` identifies its content."""

    seq: int
    name: str
    content_type: str
    sha256: str
    size: int
    span_id: str
    created_at: str


class SentMessage(msgspec.Struct, kw_only=True):
    """A message of a person to the run. It is taken when the run has received it."""

    seq: int
    text: str
    data: Any = None
    by: str
    claimed: bool = False
    at: str
    taken_seq: int | None = None
    taken_at: str | None = None
    changed_seq: int = 0

    def state(self, task: Task) -> Literal["sent", "taken", "ignored"]:
        """Return the state of the message in its task: `ignored` if the run has ended without taking it."""
        if self.taken_seq is not None:
            return "taken"
        return "ignored" if task.ended or self.seq < task.messages_since else "sent"


class TaskState(msgspec.Struct, kw_only=True):
    """The projections of one task, or the part of them that certain events need."""

    task: Task
    phases: dict[str, Phase] = {}
    spans: dict[str, Span] = {}
    checkpoints: dict[str, Checkpoint] = {}
    permissions: dict[str, Permission] = {}
    artifacts: dict[int, Artifact] = {}
    messages: dict[int, SentMessage] = {}


class Unfinished(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line that a run may still change, such as a progress bar."""

    message: str
    stream: str | None = None
