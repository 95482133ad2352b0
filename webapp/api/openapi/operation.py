"""Builds one operation of the document: a method of a path, with its parameters, body and responses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from quart import Quart
from werkzeug.routing import Rule

from signalbox.store.events import TASK_ID_PATTERN
from signalbox.store.people import PROJECT_ID_PATTERN
from signalbox.webapp.api.openapi.responses import Spec, responses
from signalbox.webapp.auth.access import Access
from signalbox.webapp.coding_agents.agents import AGENTS
from signalbox.webapp.http.endpoint import JSON, Endpoint
from signalbox.webapp.http.otlp_status import PROTOBUF, is_otlp
from signalbox.webapp.http.query_parameters import parameters_of

SchemaOf = Callable[[Any], Spec]

_TASK = {"type": "string", "pattern": TASK_ID_PATTERN}
_NAME = {"type": "string", "pattern": r"^(?!(?:.*[/\\])?\.{1,2}(?:[/\\]|$))[^\u0000-\u001f\u007f]+$"}
_PARTS: dict[str, tuple[Spec, str]] = {
    "task_id": (_TASK, "The id of a task."),
    "session_id": (_TASK, "The id of a session's task."),
    "run_id": (_TASK, "The id of a run's task."),
    "project_id": ({"type": "string", "pattern": PROJECT_ID_PATTERN}, "The id of a project."),
    "request_id": (_NAME, "The id of a permission request; it may have slashes."),
    "tool_name": (_NAME, "The name of a tool; it may have slashes."),
    "phase": (_NAME, "A phase; it may have slashes."),
    "kind": (_NAME, "A kind of tasks; it may have slashes."),
    "agent": ({"type": "string", "enum": list(AGENTS)}, "The coding agent."),
    "seq": ({"type": "integer", "minimum": 1}, "The seq of an event."),
}
"""The schema and the description of each variable part of a path."""


def operation(app: Quart, rule: Rule, declared: Endpoint, access: Access, schema_of: SchemaOf) -> Spec:
    """Return the operation object of a route."""
    found: Spec = {
        "operationId": rule.endpoint.removeprefix("api_").replace(".", "_"),
        "tags": [rule.endpoint.partition(".")[0].removeprefix("api_")],
        "summary": declared.summary,
        "parameters": [*_of_path(rule), *_of_query(app, declared)],
        "responses": responses(rule, declared, access, schema_of),
    }
    if declared.details:
        found["description"] = " ".join(declared.details.split())
    if declared.body is not None:
        found["requestBody"] = {
            "required": declared.body_required,
            "content": {"application/json": {"schema": schema_of(declared.body)}},
        }
    if declared.receives_file:
        file = {"schema": {"type": "string", "format": "binary"}}
        otlp = is_otlp(rule.rule)
        content = {JSON: {"schema": {"type": "object"}}, PROTOBUF: file} if otlp else {"*/*": file}
        # Another file may be empty.
        found["requestBody"] = {"required": otlp, "content": content}
    if access.scope is None:
        found["security"] = []
    return found


def _of_path(rule: Rule) -> Iterator[Spec]:
    for name in sorted(rule.arguments, key=rule.rule.index):
        schema, description = _PARTS[name]
        yield {"name": name, "in": "path", "required": True, "schema": schema, "description": description}


def _of_query(app: Quart, declared: Endpoint) -> Iterator[Spec]:
    if declared.query is None:
        return
    for one in parameters_of(declared.query):
        schema = one.schema
        if one.setting is not None:
            schema = schema | {"default": one.default_in(app)}
        found = {"name": one.name, "in": one.place, "schema": schema, "description": one.description}
        yield found | ({"required": True} if one.required else {})
