"""The trace of a task: W3C Trace Context, by which the spans of an instrumented program find the task they belong to.

`signalbox run` hands three variables to its command, and `Run.trace_variables` gives them to other programs:

- `OTEL_RESOURCE_ATTRIBUTES` with `signalbox.task=REFERENCE` (see `store.identity`), which every OpenTelemetry SDK reads
  without any code. All spans and logs of a process with this resource attribute belong to that task.
- `TRACESTATE` with `signalbox=REFERENCE`, which follows a trace into other services and is in each of its spans.
- `TRACEPARENT`. Its trace id is that of the task: `trace_id_of(task_id)`. A ULID has 128 bits, as a trace id has. The
  trace id of a task with a ULID is the same number, and the id of the task can be computed from it. Other ids give the
  first half of their SHA-256.

The task of a span, for every receiver and span processor, is the first of these:

1. the task that `named_task(resource attributes, tracestate of the span)` returns, if it exists and the caller may
   write to it;
2. the task that `task_with_trace(view, trace_id, projects)` returns: a ULID, or one of the tasks that have not ended;
3. a task of the trace's own.

In the first two cases the spans join a run that has a beginning and an end of its own, so the end of a root span does
not end the task. The parent id of `TRACEPARENT` is the id of a span of the run, so spans that continue it lie below.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import quote, unquote

from ulid import ULID

from signalbox.store.contract.values import TaskPage
from signalbox.store.errors import InvalidEvent, UnknownTask
from signalbox.store.identity import Reference, parse_reference
from signalbox.store.state import Task
from signalbox.store.task_query import TaskQuery

TASK_ATTRIBUTE = "signalbox.task"
"""The resource attribute with the reference to the task."""

PROJECT_ATTRIBUTE = "signalbox.project"
"""The resource attribute with the project of the tasks that are created for traces and logs."""

TRACESTATE_KEY = "signalbox"
"""The member of the tracestate with the reference to the task."""

TRACEPARENT, TRACESTATE, RESOURCE_ATTRIBUTES = "TRACEPARENT", "TRACESTATE", "OTEL_RESOURCE_ATTRIBUTES"

MAX_ACTIVE_TASKS = 500
"""The newest active tasks among which `task_with_trace` looks for an id that is no ULID."""

MAX_TRACESTATE_MEMBERS = 32

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<span>(?!0{16})[0-9a-f]{16})-[0-9a-f]{2}.*")
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}")
_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")


class TaskLookup(Protocol):
    """The reads of a store that `task_with_trace` needs."""

    async def task(self, task_id: str) -> Task: ...
    async def tasks(self, query: TaskQuery) -> TaskPage: ...


def trace_id_of(task_id: str) -> str:
    """Return the trace id of a task: 32 hexadecimal digits."""
    if _ULID.fullmatch(task_id):
        return ULID.from_str(task_id).hex
    return hashlib.sha256(task_id.encode()).hexdigest()[:32]


def span_id_of(span_id: str) -> str:
    """Return the id for `TRACEPARENT` of a span of the log: the same, if it is a span id of Trace Context."""
    return span_id if _SPAN_ID.fullmatch(span_id) else hashlib.sha256(span_id.encode()).hexdigest()[:16]


def traceparent_of(task_id: str, span_id: str) -> str:
    """Return the `traceparent` of work within this span of a task. It asks for sampling."""
    return f"00-{trace_id_of(task_id)}-{span_id_of(span_id)}-01"


def trace_variables(reference: str, span_id: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that let an instrumented program join the task; `environ` is its environment without them.

    If `environ` has the trace of another system, such as a CI server, that trace continues, and only names the task. A
    run within a run has a trace of its own.
    """
    states = _members(environ.get(TRACESTATE, ""))
    nested = any(member.startswith(f"{TRACESTATE_KEY}=") for member in states)
    outer = environ.get(TRACEPARENT, "")
    kept = [member for member in states if not member.startswith(f"{TRACESTATE_KEY}=")]
    if nested or not _TRACEPARENT.fullmatch(outer):
        outer, kept = traceparent_of(parse_reference(reference).task_id, span_id), []
    attributes = [
        pair
        for pair in environ.get(RESOURCE_ATTRIBUTES, "").split(",")
        if pair.strip() and pair.partition("=")[0].strip() != TASK_ATTRIBUTE
    ]
    state = [f"{TRACESTATE_KEY}={reference}", *kept]
    return {
        TRACEPARENT: outer,
        TRACESTATE: ",".join(state[:MAX_TRACESTATE_MEMBERS]),
        RESOURCE_ATTRIBUTES: ",".join([*attributes, f"{TASK_ATTRIBUTE}={quote(reference, safe='@:')}"]),
    }


def named_task(resource: Mapping[str, Any], tracestate: str = "") -> Reference | None:
    """Return the task that a resource attribute names, else the one that a tracestate names, else None."""
    given = resource.get(TASK_ATTRIBUTE)
    if isinstance(given, str) and (named := _reference(unquote(given))):
        return named
    for member in _members(tracestate):
        key, _, value = member.partition("=")
        if key == TRACESTATE_KEY:
            return _reference(value)
    return None


async def task_with_trace(view: TaskLookup, trace_id: str, projects: Sequence[str] | None = None) -> Task | None:
    """Return the task whose trace this is, among those of `projects`; None for all projects.

    Tasks with other ids than ULIDs are found while they have not ended. This reads two small queries, so call it once
    for each trace.
    """
    if not _TRACE_ID.fullmatch(trace_id):
        return None
    try:
        task = await view.task(str(ULID.from_hex(trace_id)))
    except UnknownTask:
        pass
    else:
        return task if projects is None or task.project_id in projects else None
    active = TaskQuery(
        statuses=("queued", "running", "waiting"),
        projects=None if projects is None else tuple(projects),
        limit=MAX_ACTIVE_TASKS,
    )
    page = await view.tasks(active)
    return next((task for task in page.tasks if trace_id_of(task.task_id) == trace_id), None)


def _reference(text: str) -> Reference | None:
    try:
        return parse_reference(text)
    except InvalidEvent:
        return None


def _members(tracestate: str) -> list[str]:
    return [member.strip() for member in tracestate.split(",") if member.strip()]
