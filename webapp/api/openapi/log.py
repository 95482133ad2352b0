"""What programs do with tasks and their logs."""

from __future__ import annotations

from signalbox.store import SORTS
from signalbox.store.state import STATUSES
from signalbox.webapp.api.openapi.schema import (
    BOOL,
    FLAG,
    INT,
    STR,
    STR_OR_NULL,
    Spec,
    array,
    last_event_id,
    limit,
    path,
    public,
    query,
    record,
    ref,
    route,
    whole,
)
from signalbox.webapp.http.params import MAX_SEQ


def log_paths() -> Spec:
    """The addresses of tasks and their logs."""
    task = path("task_id", "1 to 128 characters of A-Z a-z 0-9 _ . : -")
    event, events = ref("Event"), array(ref("Event"))
    filters = [
        query("status", {"type": "string", "enum": list(STATUSES)}, "Only tasks of this status; may be repeated."),
        query("q", {"type": "string"}, "Only tasks whose id, title or kind contains this."),
        query("kind", {"type": "string"}, "Only tasks of this kind."),
        query("project", STR, "Only tasks of this project."),
        query("created_since", STR, "Only tasks made since: a time, or how long ago, such as 30m, 24h or 7d."),
        query("created_until", STR, "Only tasks made before, in the same form."),
        query("stale", FLAG, "1: only runs that are silent for long."),
        query("archived", FLAG, "1: archived tasks instead of the others."),
        query("sort", {"type": "string", "enum": list(SORTS), "default": "newest"}, "The order."),
        query("cursor", {"type": "string"}, "The `next_cursor` of the page before."),
        limit(50, 500),
    ]
    stored = {"oneOf": [event, events]}
    new = {"oneOf": [ref("NewEvent"), array(ref("NewEvent"))]}
    page = record(events=events, total=INT, matching=INT, has_more=BOOL, next_seq=INT)
    tasks = record(tasks=array(ref("TaskResponse")), has_more=BOOL, next_cursor=STR_OR_NULL)
    log_filters = [
        query("q", STR, "Only events whose payload or type contains this."),
        query("type", STR, "Only events of this type."),
        query("phase", STR, "Only events of this phase."),
        query("actor", STR, "Only events of this actor."),
        query("level", STR, "Only events with this level in their payload."),
        query("stream", STR, "Only output of this stream: stdout or stderr."),
        query("span", STR, "Only events of this span."),
        query("failed", STR, "1: only failures."),
    ]
    snapshot = record(
        task_id=STR,
        events=events,
        total_events=INT,
        latest_seq=INT,
        current_phase=STR_OR_NULL,
        active_spans=array(STR),
        open_spans=array(ref("Span")),
    )
    graph = record(task_id=STR, spans=array(ref("Span")), edges=array(record(**{"from": STR, "to": STR})))
    health = record(status=STR, service=STR, version=STR, problems=array(record(code=STR, message=STR)))
    since = query("since_seq", whole(0, 0, MAX_SEQ), "The seq after which to start, exclusive.")
    stream = [
        since,
        query("batch_size", whole(10, 1, 100), "Events held together into one write."),
        query(
            "flush_interval",
            {"type": "number", "default": 0.5, "minimum": 0.1, "maximum": 5},
            "Longest time, in seconds, that events are held together.",
        ),
        *last_event_id(),
    ]
    return {
        "/api/tasks": {
            "get": route("List tasks.", tasks, filters, 400),
            "post": route("Create a task.", ref("TaskResponse"), [], 400, 413, status=201, body=ref("TaskBody")),
        },
        "/api/tasks/{task_id}": {
            "get": route("One task.", ref("TaskResponse"), [task], 404),
            "delete": route("Delete a task with its log, unless its run goes on.", None, [task], 404, 409, status=204),
        },
        "/api/tasks/{task_id}/unfinished": {
            "put": route(
                "Replace the unfinished lines of a task that is at work.",
                None,
                [task],
                400,
                404,
                status=204,
                body=array(record(message=STR, stream=STR)),
            ),
        },
        "/api/tasks/{task_id}/archive": {
            "post": route("Put a task away from the list.", ref("TaskResponse"), [task], 404),
            "delete": route("Bring an archived task back.", ref("TaskResponse"), [task], 404),
        },
        "/api/tasks/{task_id}/events": {
            "get": route("The log from a seq on.", page, [task, since, limit(100, 1000), *log_filters], 400, 404),
            "post": route(
                "Append one event or a list, all or nothing.", stored, [task], 400, 409, 413, status=201, body=new
            ),
        },
        "/api/tasks/{task_id}/events/latest": {
            "get": route("The newest events, newest first.", events, [task, limit(50, 500)], 400, 404)
        },
        "/api/tasks/{task_id}/events/snapshot": {
            "get": route("How the task stands, in one consistent read.", snapshot, [task, limit(100, 500)], 400, 404)
        },
        "/api/tasks/{task_id}/events/phase/{phase}": {
            "get": route("Events of one phase.", events, [task, path("phase", "A phase."), limit(100, 1000)], 400, 404)
        },
        "/api/tasks/{task_id}/graph": {"get": route("Spans and their edges.", graph, [task], 404)},
        "/api/tasks/{task_id}/checkpoints": {
            "get": route("Checkpoint events with their evidence.", events, [task], 404)
        },
        "/api/tasks/{task_id}/permissions": {
            "get": route("What the run asks and nobody has answered.", array(ref("Permission")), [task], 404)
        },
        "/api/tasks/{task_id}/permissions/{request_id}": {
            "post": route(
                "Answer a permission request.",
                event,
                [task, path("request_id", "The id of the request; it may have slashes.")],
                400,
                404,
                409,
                413,
                status=201,
                body=ref("AnswerBody"),
            )
        },
        "/api/tasks/{task_id}/cancel": {
            "post": route("Ask a run to stop.", event, [task], 400, 404, 409, 413, status=201, body=ref("CancelBody"))
        },
        "/api/tasks/{task_id}/retries": {
            "post": route(
                "Say which task runs the same again.",
                event,
                [task],
                400,
                404,
                409,
                413,
                status=201,
                body=ref("RetryBody"),
            )
        },
        "/api/events/health": {"get": public("Whether the API answers.", health)},
        "/api/openapi.json": {"get": route("This document.", {"type": "object"}, [])},
        "/sse/health": {"get": public("Whether streams are served, and how many.", health)},
        "/sse/events": {
            "get": route(
                "Events of many tasks on one connection; the id of a message is its event_id.",
                None,
                [
                    query("task", STR, "A task; may be repeated. All tasks if none is named."),
                    query("since_event_id", whole(0, 0, MAX_SEQ), "The event_id after which to start, exclusive."),
                    query("tail", STR, "Start at the end instead."),
                    *last_event_id(),
                ],
                400,
                404,
            )
        },
        "/sse/tasks/{task_id}/events": {
            "get": route(
                "The log as server-sent events: what is stored, then what comes.", None, [task, *stream], 400, 404
            )
        },
    }
