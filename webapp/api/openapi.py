"""`/api/openapi.json`: the description of every route that programs use."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from quart import Blueprint, Response

from store import SORTS, Event, NewEvent
from store.state import STATUSES, Checkpoint, Permission, Phase, Span
from webapp import __version__
from webapp.api.control import CancelBody
from webapp.api.login import LoginAnswer, LoginBody
from webapp.api.permissions import AnswerBody
from webapp.api.projects import ProjectView
from webapp.api.runs import RunBody, RunView
from webapp.api.sessions import SessionAnswer, SessionAnswerBody
from webapp.api.tasks import TaskBody, TaskView
from webapp.auth.access import needs
from webapp.json import json_response
from webapp.params import MAX_SEQ

blueprint = Blueprint("openapi", __name__, url_prefix="/api")

Spec = dict[str, Any]
TYPES = (
    Event,
    NewEvent,
    TaskView,
    TaskBody,
    Span,
    Phase,
    Checkpoint,
    Permission,
    AnswerBody,
    CancelBody,
    SessionAnswerBody,
    SessionAnswer,
    LoginBody,
    LoginAnswer,
    ProjectView,
    RunBody,
    RunView,
)


@blueprint.get("/openapi.json")
@needs("read")
async def document() -> Response:
    return json_response(describe())


@cache
def describe() -> Spec:
    """The OpenAPI 3.1 document."""
    _, components = msgspec.json.schema_components(TYPES, ref_template="#/components/schemas/{name}")
    components["Event"]["properties"]["payload"] = {"type": "object"}
    components["Error"] = _object(
        error=_object(code={"type": "string"}, message={"type": "string"}, field={"type": "string"})
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Signalbox",
            "version": __version__,
            "description": "The event logs of long-running task runs.",
        },
        "paths": _paths(),
        "components": {"schemas": components, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{"token": []}, {}],
    }


def _paths() -> Spec:
    task = _path("task_id", "1 to 128 characters of A-Z a-z 0-9 _ . : -")
    event, events = _ref("Event"), _list(_ref("Event"))
    filters = [
        _query("status", {"type": "string", "enum": list(STATUSES)}, "Only tasks of this status; may be repeated."),
        _query("q", {"type": "string"}, "Only tasks whose id, title or kind contains this."),
        _query("kind", {"type": "string"}, "Only tasks of this kind."),
        _query("created_since", _STR, "Only tasks made since: a time, or how long ago, such as 30m, 24h or 7d."),
        _query("created_until", _STR, "Only tasks made before, in the same form."),
        _query("stale", _FLAG, "1: only runs that are silent for long."),
        _query("archived", _FLAG, "1: archived tasks instead of the others."),
        _query("sort", {"type": "string", "enum": list(SORTS), "default": "newest"}, "The order."),
        _query("cursor", {"type": "string"}, "The `next_cursor` of the page before."),
        _limit(50, 500),
    ]
    stored = {"oneOf": [event, events]}
    new = {"oneOf": [_ref("NewEvent"), _list(_ref("NewEvent"))]}
    page = _object(events=events, total=_INT, matching=_INT, has_more=_BOOL, next_seq=_INT)
    tasks = _object(tasks=_list(_ref("TaskView")), has_more=_BOOL, next_cursor=_STR_OR_NULL)
    log_filters = [
        _query("q", _STR, "Only events whose payload or type contains this."),
        _query("type", _STR, "Only events of this type."),
        _query("phase", _STR, "Only events of this phase."),
        _query("actor", _STR, "Only events of this actor."),
        _query("level", _STR, "Only events with this level in their payload."),
        _query("stream", _STR, "Only output of this stream: stdout or stderr."),
        _query("span", _STR, "Only events of this span."),
        _query("failed", _STR, "1: only failures."),
    ]
    snapshot = _object(
        task_id=_STR,
        events=events,
        total_events=_INT,
        latest_seq=_INT,
        current_phase=_STR_OR_NULL,
        active_spans=_list(_ref("Span")),
    )
    graph = _object(task_id=_STR, spans=_list(_ref("Span")), edges=_list(_object(**{"from": _STR, "to": _STR})))
    health = _object(status=_STR, service=_STR, version=_STR)
    since = _query("since_seq", _whole(0, 0, MAX_SEQ), "The seq after which to start, exclusive.")
    last_id = {"name": "Last-Event-ID", "in": "header", "schema": _INT, "description": "Wins over since_seq."}
    project, run = _path("project_id", "The id of a project."), _path("run_id", "The id of the run's task.")
    session = _path("session_id", "The id of the session's task.")
    resume = [
        _query("since_seq", {"type": "integer", "minimum": 0, "maximum": MAX_SEQ}, "The seq after which to start."),
        last_id,
    ]
    session_health = _object(
        status=_STR, session_id=_STR, connections=_INT, last_seq=_INT, permission_open=_BOOL, request_id=_STR_OR_NULL
    )
    stream = [
        since,
        _query("batch_size", _whole(10, 1, 100), "Events held together into one write."),
        _query(
            "flush_interval",
            {"type": "number", "default": 0.5, "minimum": 0.1, "maximum": 5},
            "Longest time, in seconds, that events are held together.",
        ),
        last_id,
    ]
    return {
        "/api/tasks": {
            "get": _route("List tasks.", tasks, filters, 400),
            "post": _route("Create a task.", _ref("TaskView"), [], 400, 413, status=201, body=_ref("TaskBody")),
        },
        "/api/tasks/{task_id}": {
            "get": _route("One task.", _ref("TaskView"), [task], 404),
            "delete": _route("Delete a task with its log, unless its run goes on.", None, [task], 404, 409, status=204),
        },
        "/api/tasks/{task_id}/archive": {
            "post": _route("Put a task away from the list.", _ref("TaskView"), [task], 404),
            "delete": _route("Bring an archived task back.", _ref("TaskView"), [task], 404),
        },
        "/api/tasks/{task_id}/events": {
            "get": _route("The log from a seq on.", page, [task, since, _limit(100, 1000), *log_filters], 400, 404),
            "post": _route(
                "Append one event or a list, all or nothing.", stored, [task], 400, 409, 413, status=201, body=new
            ),
        },
        "/api/tasks/{task_id}/events/latest": {
            "get": _route("The newest events, newest first.", events, [task, _limit(50, 500)], 400, 404)
        },
        "/api/tasks/{task_id}/events/snapshot": {
            "get": _route("How the task stands, in one consistent read.", snapshot, [task, _limit(100, 500)], 400, 404)
        },
        "/api/tasks/{task_id}/events/phase/{phase}": {
            "get": _route(
                "Events of one phase.", events, [task, _path("phase", "A phase."), _limit(100, 1000)], 400, 404
            )
        },
        "/api/tasks/{task_id}/graph": {"get": _route("Spans and their edges.", graph, [task], 404)},
        "/api/tasks/{task_id}/checkpoints": {
            "get": _route("Checkpoint events with their evidence.", events, [task], 404)
        },
        "/api/tasks/{task_id}/permissions": {
            "get": _route("What the run asks and nobody has answered.", _list(_ref("Permission")), [task], 404)
        },
        "/api/tasks/{task_id}/permissions/{request_id}": {
            "post": _route(
                "Answer a permission request.",
                event,
                [task, _path("request_id", "The id of the request; it may have slashes.")],
                400,
                404,
                409,
                413,
                status=201,
                body=_ref("AnswerBody"),
            )
        },
        "/api/tasks/{task_id}/cancel": {
            "post": _route("Ask a run to stop.", event, [task], 400, 404, 409, 413, status=201, body=_ref("CancelBody"))
        },
        "/api/events/health": {"get": _public("Whether the API answers.", health)},
        "/api/openapi.json": {"get": _route("This document.", {"type": "object"}, [])},
        "/sse/health": {"get": _public("Whether streams are served, and how many.", health)},
        "/sse/events": {
            "get": _route(
                "Events of many tasks on one connection; the id of a message is its event_id.",
                None,
                [
                    _query("task", _STR, "A task; may be repeated. All tasks if none is named."),
                    _query("since_event_id", _whole(0, 0, MAX_SEQ), "The event_id after which to start, exclusive."),
                    _query("tail", _STR, "Start at the end instead."),
                ],
                400,
                404,
            )
        },
        "/api/sse/events/{session_id}": {
            "get": _route("Tool calls and permissions of a session, live.", None, [session, *resume], 400, 404)
        },
        "/api/sse/permission-response/{session_id}": {
            "post": _route(
                "Answer the open permission request of a session: the one named, else the oldest.",
                _ref("SessionAnswer"),
                [session],
                400,
                404,
                409,
                413,
                body=_ref("SessionAnswerBody"),
            )
        },
        "/api/sse/health/{session_id}": {"get": _route("How a session stands.", session_health, [session], 404)},
        "/api/v1/login": {"post": _login()},
        "/api/v1/projects": {"get": _route("The projects.", _object(projects=_list(_ref("ProjectView"))), [])},
        "/api/v1/projects/{project_id}": {"get": _route("One project.", _ref("ProjectView"), [project], 404)},
        "/api/v1/projects/{project_id}/agent/runs": {
            "get": _route(
                "Runs, newest first.", _object(runs=_list(_ref("RunView"))), [project, _limit(50, 500)], 400, 404
            ),
            "post": _route(
                "Start a run; 200 with the one that is at work.",
                _ref("RunView"),
                [project],
                400,
                404,
                409,
                413,
                status=201,
                body=_ref("RunBody"),
            ),
        },
        "/api/v1/projects/{project_id}/agent/runs/{run_id}": {
            "get": _route("One run.", _ref("RunView"), [project, run], 404)
        },
        "/api/v1/projects/{project_id}/agent/runs/{run_id}/stream": {
            "get": _route("The lines of a run, live, and how it ended.", None, [project, run, since, last_id], 400, 404)
        },
        "/api/v1/projects/{project_id}/agent/runs/{run_id}/cancel": {
            "post": _route(
                "Ask a run to stop.",
                _ref("RunView"),
                [project, run],
                400,
                404,
                409,
                413,
                status=202,
                body=_ref("CancelBody"),
            )
        },
        "/sse/tasks/{task_id}/events": {
            "get": _route(
                "The log as server-sent events: what is stored, then what comes.", None, [task, *stream], 400, 404
            )
        },
    }


_STR_OR_NULL = {"type": ["string", "null"]}
_INT, _STR, _BOOL = {"type": "integer"}, {"type": "string"}, {"type": "boolean"}
_FLAG = {"type": "string", "enum": ["0", "1"], "default": "0"}
_ERRORS = {
    400: "A parameter or the body is wrong; `field` names it.",
    401: "Nobody knows who asks: log in, or send a token.",
    403: "The caller does not have the right to do this here.",
    404: "There is no such task.",
    409: "The log says otherwise.",
    413: "The body is over the limit.",
    429: "Too many were tried; see Retry-After.",
    503: "The store is busy or gone; see Retry-After.",
}


def _route(
    summary: str, schema: Spec | None, parameters: list[Spec], *errors: int, status: int = 200, body: Spec | None = None
) -> Spec:
    content: Spec = {"text/event-stream": {}} if schema is None else {"application/json": {"schema": schema}}
    if status == 204:
        content = {}
    error = {"application/json": {"schema": _ref("Error")}}
    route: Spec = {
        "summary": summary,
        "parameters": parameters,
        "responses": {str(status): {"description": summary, "content": content}}
        | {str(code): {"description": _ERRORS[code], "content": error} for code in sorted({*errors, 401, 403, 503})},
    }
    if body:
        route["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return route


def _login() -> Spec:
    route = _route("A token for e-mail and password.", _ref("LoginAnswer"), [], 400, 413, 429, body=_ref("LoginBody"))
    del route["responses"]["403"]
    return route | {"security": []}


def _public(summary: str, schema: Spec) -> Spec:
    route = _route(summary, schema, [])
    for status in ("401", "403"):
        del route["responses"][status]
    return route | {"security": []}


def _ref(name: str) -> Spec:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(items: Spec) -> Spec:
    return {"type": "array", "items": items}


def _object(**properties: Spec) -> Spec:
    return {"type": "object", "properties": properties}


def _whole(default: int, low: int, high: int) -> Spec:
    return {"type": "integer", "default": default, "minimum": low, "maximum": high}


def _limit(default: int, high: int) -> Spec:
    return _query("limit", _whole(default, 1, high), "How many at most.")


def _query(name: str, schema: Spec, description: str) -> Spec:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def _path(name: str, description: str) -> Spec:
    return {"name": name, "in": "path", "required": True, "schema": _STR, "description": description}
