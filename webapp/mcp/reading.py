"""The tools that read runs: list them, read one, and say why it failed."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from signalbox.store.state import STATUSES
from signalbox.webapp.mcp.console import Console, run_at
from signalbox.webapp.mcp.texts import MAX_VALUE_CHARS, Texts, progress_text, usage_text
from signalbox.webapp.mcp.values import (
    FailedTestRow,
    FailureDetails,
    PermissionRow,
    RunDetails,
    RunList,
    RunRow,
    SpanRow,
    Status,
)

MAX_RUNS = 40
MAX_SPANS = 25
MAX_PERMISSIONS = 5
MAX_TESTS = 20
MAX_UNFINISHED = 4
GRAPH_SPANS = 1000
"""Spans that are read to choose those of an answer, besides the open ones."""

_RANK = {"open": 0, "failed": 1}
"""The order in which spans are chosen, by their states."""

_ABSENT = dict.fromkeys(("progress", "error", "ended_at"))
"""The fields that an open span of a snapshot may lack."""

SHORT = 160
"""Characters of a title, a message or an error in a row."""

Json = dict[str, Any]
TaskIdText = Annotated[str, Field(description="The run's id, or `id@identity`.", max_length=200)]


def run_row(task: Json, texts: Texts) -> RunRow:
    """Return a task of the API as a row."""
    return RunRow(
        task_id=task["task_id"],
        project_id=task["project_id"],
        status=task["status"],
        title=texts.cut_or_none(task["title"], SHORT),
        kind=task["kind"],
        phase=task["phase"],
        progress=progress_text(task["progress"]),
        message=texts.cut_or_none(task["message"], SHORT),
        error=texts.cut_or_none(task["error"], SHORT),
        permissions_open=task["permissions_open"] or None,
        created_at=task["created_at"],
        ended_at=task["ended_at"],
    )


async def list_runs(
    console: Console,
    query: Annotated[str, Field(description="Only runs whose id, title or kind contains this.", max_length=256)] = "",
    status: Annotated[list[Status], Field(description="Only runs of these statuses.", max_length=len(STATUSES))] = [],  # noqa: B006
    kind: Annotated[str, Field(description="Only runs of this kind.", max_length=256)] = "",
    project: Annotated[str, Field(description="Only runs of the project with this id.", max_length=256)] = "",
    tags: Annotated[list[str], Field(description="Only runs with all these tags, as name=value.", max_length=10)] = [],  # noqa: B006
    created_since: Annotated[
        str, Field(description="Only runs created since: a time, or an age such as 30m, 24h, 7d.", max_length=64)
    ] = "",
    same_error_as: Annotated[
        str, Field(description="Only runs that failed with the same error as the run with this id.", max_length=200)
    ] = "",
    sort: Literal["newest", "oldest", "active", "longest"] = "newest",
    limit: Annotated[int, Field(ge=1, le=MAX_RUNS)] = 20,
    cursor: Annotated[str, Field(description="The next_cursor of the previous page.", max_length=1000)] = "",
) -> RunList:
    """List and search runs, the newest first. Use the filters instead of reading many pages."""
    fingerprint = None
    if same_error_as:
        fingerprint = (await _failure(console, same_error_as)).get("fingerprint")
        if fingerprint is None:
            return RunList(runs=[])
    found = await console.get(
        "/api/tasks",
        Json,
        q=query,
        status=status,
        kind=kind,
        project=project,
        tag=tags,
        created_since=created_since,
        error=fingerprint,
        sort=sort,
        limit=limit,
        cursor=cursor,
    )
    return RunList(runs=[run_row(task, console.texts) for task in found["tasks"]], next_cursor=found["next_cursor"])


async def read_run(console: Console, task_id: TaskIdText) -> RunDetails:
    """Read the state of a run: status, progress, open permission requests, open and failed spans, tokens and cost."""
    at, texts = run_at(task_id), console.texts
    task = await console.get(at.path, Json, identity=at.identity)
    open_requests: list[Json] = []
    if task["permissions_open"]:
        open_requests = await console.get(
            f"{at.path}/permissions", list[Json], limit=MAX_PERMISSIONS, identity=task["identity"]
        )
    spans = await _spans(console, at.path, task["identity"])
    shown = _important(spans)
    left_out = max(task.get("spans_total", 0), len(spans)) - len(shown)
    return RunDetails(
        **run_row(task, texts).model_dump() | {"error": texts.cut_or_none(task["error"])},
        identity=task["identity"],
        latest_seq=task["latest_seq"],
        started_at=task["started_at"],
        exit_code=task["exit_code"],
        cancel_requested=task["cancel_requested"] or None,
        stale=task["stale"] or None,
        tags=texts.labels(task["tags"]),
        links=texts.labels(task["links"]),
        usage=usage_text(task["usage"]),
        permissions=[_permission(one, texts) for one in open_requests] or None,
        spans=[_span(one, texts) for one in shown],
        spans_left_out=left_out or None,
        unfinished=[texts.cut(line["message"], SHORT) for line in task["unfinished"][-MAX_UNFINISHED:]] or None,
    )


async def explain_failure(console: Console, task_id: TaskIdText) -> FailureDetails:
    """Say why a run failed: the error, the failing span, failed tests, the last lines, and runs with the same error."""
    at, texts = run_at(task_id), console.texts
    outcome = await console.get(f"{at.path}/outcome", Json, identity=at.identity)
    failure: Json = outcome["failure"] or {}
    cancelled = [f"{one['by'] or 'somebody'}: {one['reason'] or 'no reason'}" for one in outcome["cancel_requests"]]
    same = failure.get("same_error_runs", 0)
    return FailureDetails(
        task_id=at.path.rpartition("/")[2],
        status=outcome["status"],
        failed=bool(failure),
        error=texts.cut_or_none(failure.get("error"), 2 * MAX_VALUE_CHARS),
        seq=failure.get("seq"),
        span_path=[texts.cut(span["name"], SHORT) for span in failure.get("span_path", [])] or None,
        command=texts.cut_or_none(failure.get("command"), MAX_VALUE_CHARS),
        traceback_error=texts.cut_or_none(failure.get("traceback_error"), MAX_VALUE_CHARS),
        tests=texts.cut_or_none(failure.get("tests"), SHORT),
        failed_tests=[_failed_test(test, texts) for test in failure.get("failed_tests", [])[:MAX_TESTS]] or None,
        failed_tests_total=failure.get("failed_tests_total") or None,
        output=[_output(line, texts) for line in failure.get("output", [])] or None,
        same_error_runs=same or None,
        same_error_in=await _others(console, at.path.rpartition("/")[2], failure["fingerprint"]) if same > 1 else None,
        same_error_since=failure.get("same_error_since") if same > 1 else None,
        last_success=outcome["last_success"],
        cancelled_by=[texts.cut(text, SHORT) for text in cancelled[:5]] or None,
    )


async def _failure(console: Console, task_id: str) -> Json:
    at = run_at(task_id)
    outcome = await console.get(f"{at.path}/outcome", Json, identity=at.identity)
    failure: Json | None = outcome["failure"]
    return failure or {}


async def _others(console: Console, task_id: str, fingerprint: str) -> list[str] | None:
    found = await console.get("/api/tasks", Json, error=fingerprint, limit=6)
    return [task["task_id"] for task in found["tasks"] if task["task_id"] != task_id][:5] or None


async def _spans(console: Console, path: str, identity: str) -> list[Json]:
    """Return the first spans of a run, and those that are open now."""
    graph = await console.get(f"{path}/graph", Json, limit=GRAPH_SPANS, identity=identity)
    spans: list[Json] = graph["spans"]
    if graph["has_more"]:
        now = await console.get(f"{path}/events/snapshot", Json, limit=1, identity=identity)
        known = {span["span_id"] for span in spans}
        spans += [_ABSENT | span | {"usage": None} for span in now["open_spans"] if span["span_id"] not in known]
    return spans


def _important(spans: list[Json]) -> list[Json]:
    """Return the spans that an answer shows, in the order of their start: first open ones, then failed ones."""
    chosen = sorted(spans, key=lambda span: (span["kind"] == "run", _RANK.get(span["state"], len(_RANK))))
    return sorted(chosen[:MAX_SPANS], key=lambda span: span["started_seq"])


def _span(span: Json, texts: Texts) -> SpanRow:
    return SpanRow(
        span_id=span["span_id"],
        parent_span_id=span["parent_span_id"],
        kind=span["kind"],
        name=texts.cut(span["name"], SHORT),
        state=span["state"],
        progress=progress_text(span["progress"]),
        error=texts.cut_or_none(span["error"], SHORT),
        usage=usage_text(span["usage"]),
        started_at=span["started_at"],
        ended_at=span["ended_at"],
    )


def _permission(request: Json, texts: Texts) -> PermissionRow:
    wanted = {name: request.get(name) for name in ("choices", "response_schema", "editable") if request.get(name)}
    return PermissionRow(
        request_id=request["request_id"],
        tool_name=texts.cut_or_none(request["tool_name"], SHORT),
        arguments=texts.json(request["arguments"]),
        reason=texts.cut_or_none(request["reason"], MAX_VALUE_CHARS),
        expires_at=request["expires_at"],
        asks_for=texts.json(wanted),
    )


def _failed_test(test: Json, texts: Texts) -> FailedTestRow:
    return FailedTestRow(
        name=texts.cut(test["name"], SHORT), message=texts.cut(test["message"], SHORT), seq=test["seq"]
    )


def _output(line: Json, texts: Texts) -> str:
    mark = "stderr: " if line["stderr"] else ""
    return f"#{line['seq']} {mark}{texts.cut(line['message'], SHORT)}"
