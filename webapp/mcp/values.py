"""The values that tools return. Their JSON Schemas are the output schemas of the tools.

Fields that are None are left out of an answer.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

Status = Literal["queued", "running", "waiting", "done", "failed", "cancelled", "interrupted"]


class RunRow(BaseModel):
    """A run in a few words."""

    task_id: str
    project_id: str
    status: Status
    title: str | None = None
    kind: str | None = None
    phase: str | None = None
    progress: str | None = Field(default=None, description="Such as `3 of 8`.")
    message: str | None = Field(default=None, description="The current activity in words.")
    error: str | None = None
    permissions_open: int | None = Field(default=None, description="Permission requests that wait for an answer.")
    created_at: str
    ended_at: str | None = None


class RunList(BaseModel):
    """One page of runs."""

    runs: list[RunRow]
    next_cursor: str | None = Field(default=None, description="The `cursor` of the next page; absent on the last one.")


class PermissionRow(BaseModel):
    """A permission request that waits for an answer."""

    request_id: str
    tool_name: str | None = None
    arguments: str | None = Field(default=None, description="JSON, possibly cut.")
    reason: str | None = None
    expires_at: str | None = None
    asks_for: str | None = Field(default=None, description="What an approval needs as `value`, as JSON.")


class SpanRow(BaseModel):
    """A unit of work of the run."""

    span_id: str
    parent_span_id: str | None = None
    kind: str
    name: str
    state: str
    progress: str | None = None
    error: str | None = None
    usage: str | None = None
    started_at: str
    ended_at: str | None = None


class RunDetails(RunRow):
    """The state of a run. `spans` has the open spans, then failed ones, and others as far as there is room."""

    identity: str = Field(description="Names this very task as `task_id@identity`, even if the id is used again.")
    latest_seq: int
    started_at: str | None = None
    exit_code: int | None = None
    cancel_requested: bool | None = None
    stale: bool | None = Field(default=None, description="The run reports nothing, although it has not ended.")
    tags: dict[str, str] | None = None
    links: dict[str, str] | None = None
    usage: str | None = None
    permissions: list[PermissionRow] | None = None
    spans: list[SpanRow]
    spans_left_out: int | None = None
    unfinished: list[str] | None = Field(default=None, description="Lines that the run may still change.")


class FailedTestRow(BaseModel):
    """A test that failed."""

    name: str
    message: str
    seq: int


class FailureDetails(BaseModel):
    """Why a run failed. `seq` is the event to look at first with `read_log`."""

    task_id: str
    status: Status
    failed: bool = Field(description="Whether the run failed or was interrupted. If not, only `status` is present.")
    error: str | None = None
    seq: int | None = None
    span_path: list[str] | None = Field(default=None, description="The names of the spans down to the one that failed.")
    command: str | None = None
    traceback_error: str | None = None
    tests: str | None = None
    failed_tests: list[FailedTestRow] | None = None
    failed_tests_total: int | None = None
    output: list[str] | None = Field(default=None, description="The last lines, those of stderr first.")
    same_error_runs: int | None = Field(default=None, description="The project's runs that failed like this.")
    same_error_in: list[str] | None = Field(default=None, description="The newest of these runs.")
    same_error_since: str | None = None
    last_success: str | None = Field(default=None, description="The last successful run of this kind.")
    cancelled_by: list[str] | None = None


class LogText(BaseModel):
    """A part of a log: one line per event, as `#seq time text`. Times are in UTC."""

    task_id: str
    status: Status
    lines: list[str]
    first_seq: int | None = None
    last_seq: int | None = None
    latest_seq: int = Field(description="The seq of the newest event of the log.")
    next_since_seq: int | None = Field(default=None, description="The `since_seq` that continues; absent at the end.")
    before_seq: int | None = Field(default=None, description="The `before_seq` for older lines, if any.")


class WaitOutcome(BaseModel):
    """The runs after a wait. `reached` names those for which the condition holds."""

    reached: list[str]
    timed_out: bool
    runs: list[RunRow]
    next: int = Field(description="The `since` of the next wait for events.")


class Answered(BaseModel):
    """An answer as it was recorded."""

    request_id: str
    approved: bool
    by: str
    seq: int
    value: Any = None


class ProjectRow(BaseModel):
    """A project, and whether a run can be started in it."""

    project_id: str
    name: str
    status: Literal["READY", "RUNNING", "UNAVAILABLE", "NO_AGENT"]
    run_id: str | None = Field(default=None, description="The run of the agent that has not ended.")


class ProjectList(BaseModel):
    """The projects that the token may see."""

    projects: list[ProjectRow]
    left_out: int | None = None


class StartedRun(BaseModel):
    """A run that was started, or the one that is active already."""

    task_id: str
    project_id: str
    status: Status
    new: bool = Field(description="False if a run was active already or has this id.")


class RecordedAct(BaseModel):
    """The event that records an act."""

    task_id: str
    event_type: str
    seq: int
