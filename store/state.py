"""What a log says about its task at one seq: the values that projections fold and pages show.

Every part carries `changed_seq`, the seq of the event that last changed it. A page that stands at cursor *c*
is brought up to date by the parts whose `changed_seq` is greater than *c*.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

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
AT_WORK: tuple[Status, ...] = ("queued", "running", "waiting")
ENDED: frozenset[str] = frozenset(STATUSES) - frozenset(AT_WORK)


class Progress(msgspec.Struct, frozen=True):
    """How far something is. `percentage` is 0 to 100; `current` and `total` are whatever the run counts."""

    percentage: float
    current: float | None = None
    total: float | None = None


class Activity(msgspec.Struct, kw_only=True):
    """How many events came in each `width` seconds of a run, from `since` on; the last bucket ends before `until`."""

    since: str
    width: float
    counts: list[int]
    until: str


class Task(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One task: who it is, how it stands, and the counters of its log.

    `archived_at` and `stale` are not of the log: readers fill them from what is kept beside it. `unreadable` is a
    task whose stored state is damaged: all that is known of it is its id, its times and its log. `ended_seq` is the
    event that ended the task, 0 while it has not ended. `identity` is new at every creation: another task that has the
    same id later has another one.
    """

    task_id: str
    identity: str = ""
    title: str | None = None
    kind: str | None = None
    project_id: str = "default"
    metadata: dict[str, Any] = {}
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
    retries: list[str] = []
    started_at: str | None = None
    ended_at: str | None = None
    ended_seq: int = 0
    updated_at: str
    heartbeat_interval: float | None = None
    heartbeat_at: str | None = None
    runner_pid: int | None = None
    runner_version: str | None = None
    activity: Activity | None = None
    archived_at: str | None = None
    stale: bool = False
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

    spawn_seq: int = 0
    heartbeat_seq: int = 0
    header_seq: int = 0
    phases_seq: int = 0
    spans_seq: int = 0
    checkpoints_seq: int = 0
    permissions_seq: int = 0

    @property
    def rows(self) -> int:
        """How many rows the log has for people: its events without the heartbeats."""
        return self.latest_seq - self.heartbeats

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self.status in ENDED

    @property
    def deletable(self) -> bool:
        """Whether no run would go on writing to it."""
        return self.ended or self.status == "queued" or self.unreadable


class Phase(msgspec.Struct, kw_only=True):
    """One station of the run, in the order in which the log first named it."""

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


class Span(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A stretch of work. `state` is `mark` for a span that was only mentioned, never opened."""

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
    started_seq: int
    started_at: str
    ended_seq: int | None = None
    ended_at: str | None = None
    changed_seq: int


class Checkpoint(msgspec.Struct, kw_only=True):
    """A committed state of the work, with what proves it."""

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


class Permission(msgspec.Struct, kw_only=True):
    """A question of the run to a person. `by` and `answer_reason` are there once it is closed.

    `claimed` says that `by` is what the log claims, and not a person of this server. `cause` says why a question was
    cleared: `interrupted` and `task_ended` come from the store.
    """

    request_id: str
    tool_name: str
    arguments: Any = None
    reason: str | None = None
    expires_at: str | None = None
    phase: str | None
    span_id: str
    evidence_refs: dict[str, Any] = {}
    state: Literal["open", "approved", "denied", "expired", "cleared"] = "open"
    by: str | None = None
    answer_reason: str | None = None
    cause: str | None = None
    seq: int
    created_at: str
    closed_seq: int | None = None
    closed_at: str | None = None
    changed_seq: int
    claimed: bool = False


class TaskState(msgspec.Struct, kw_only=True):
    """All that projections know of one task, or the part of it that some events need."""

    task: Task
    phases: dict[str, Phase] = {}
    spans: dict[str, Span] = {}
    checkpoints: dict[str, Checkpoint] = {}
    permissions: dict[str, Permission] = {}


class Unfinished(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a run shows and may still change, such as a progress bar; several lines if it redraws several."""

    message: str
    stream: str | None = None
