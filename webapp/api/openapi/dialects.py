"""What the clients of the dialects do."""

from __future__ import annotations

from signalbox.webapp.api.openapi.schema import (
    BOOL,
    INT,
    STR,
    STR_OR_NULL,
    Spec,
    array,
    last_event_id,
    limit,
    path,
    query,
    record,
    ref,
    route,
    whole,
)
from signalbox.webapp.http.params import MAX_SEQ


def dialect_paths() -> Spec:
    """The addresses of sessions, and of projects and their runs."""
    project, run = path("project_id", "The id of a project."), path("run_id", "The id of the run's task.")
    session = path("session_id", "The id of the session's task.")
    since = query("since_seq", whole(0, 0, MAX_SEQ), "The seq after which to start, exclusive.")
    last_id = last_event_id()
    resume = [
        query("since_seq", {"type": "integer", "minimum": 0, "maximum": MAX_SEQ}, "The seq after which to start."),
        *last_id,
    ]
    session_health = record(
        status=STR, session_id=STR, connections=INT, last_seq=INT, permission_open=BOOL, request_id=STR_OR_NULL
    )
    return {
        "/api/sse/events/{session_id}": {
            "get": route("Tool calls and permissions of a session, live.", None, [session, *resume], 400, 404)
        },
        "/api/sse/permission-response/{session_id}": {
            "post": route(
                "Answer the open permission request of a session: the one named, else the oldest.",
                ref("SessionAnswer"),
                [session],
                400,
                404,
                409,
                413,
                body=ref("SessionAnswerBody"),
            )
        },
        "/api/sse/health/{session_id}": {"get": route("How a session stands.", session_health, [session], 404)},
        "/api/v1/login": {"post": _login()},
        "/api/v1/logout": {"post": route("End a log-in.", None, [], 409, status=204)},
        "/api/v1/projects": {"get": route("The projects.", record(projects=array(ref("ProjectView"))), [])},
        "/api/v1/projects/{project_id}": {"get": route("One project.", ref("ProjectView"), [project], 404)},
        "/api/v1/projects/{project_id}/agent/runs": {
            "get": route(
                "Runs, newest first.", record(runs=array(ref("RunView"))), [project, limit(50, 500)], 400, 404
            ),
            "post": route(
                "Start a run; 200 with the one that is at work.",
                ref("RunView"),
                [project],
                400,
                404,
                409,
                413,
                status=201,
                body=ref("RunBody"),
            ),
        },
        "/api/v1/projects/{project_id}/agent/runs/{run_id}": {
            "get": route("One run.", ref("RunView"), [project, run], 404)
        },
        "/api/v1/projects/{project_id}/agent/runs/{run_id}/stream": {
            "get": route("The lines of a run, live, and how it ended.", None, [project, run, since, *last_id], 400, 404)
        },
        "/api/v1/projects/{project_id}/agent/runs/{run_id}/cancel": {
            "post": route(
                "Ask a run to stop.",
                ref("RunView"),
                [project, run],
                400,
                404,
                409,
                413,
                status=202,
                body=ref("CancelBody"),
            )
        },
    }


def _login() -> Spec:
    found = route("A token for e-mail and password.", ref("LoginAnswer"), [], 400, 413, 429, body=ref("LoginBody"))
    del found["responses"]["403"]
    return found | {"security": []}
