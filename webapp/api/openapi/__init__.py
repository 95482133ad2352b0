"""`/api/openapi.json`: the description of every route that programs use."""

from __future__ import annotations

from functools import cache

import msgspec
from quart import Blueprint, Response, request

from signalbox.store import Event, NewEvent
from signalbox.store.state import Checkpoint, Permission, Phase, Span
from signalbox.webapp import __version__
from signalbox.webapp.api.control import CancelBody, RetryBody
from signalbox.webapp.api.login import LoginAnswer, LoginBody
from signalbox.webapp.api.openapi.dialects import dialect_paths
from signalbox.webapp.api.openapi.log import log_paths
from signalbox.webapp.api.openapi.schema import STR, Spec, record
from signalbox.webapp.api.permissions import AnswerBody
from signalbox.webapp.api.projects import ProjectView
from signalbox.webapp.api.runs import RunBody, RunView
from signalbox.webapp.api.sessions import SessionAnswer, SessionAnswerBody
from signalbox.webapp.api.tasks import TaskBody, TaskResponse
from signalbox.webapp.auth.access import needs
from signalbox.webapp.http.json import json_response

blueprint = Blueprint("openapi", __name__, url_prefix="/api")

TYPES = (
    Event,
    NewEvent,
    TaskResponse,
    TaskBody,
    Span,
    Phase,
    Checkpoint,
    Permission,
    AnswerBody,
    CancelBody,
    RetryBody,
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
    return json_response(describe() | {"servers": [{"url": request.root_path or "/"}]})


@cache
def describe() -> Spec:
    """The OpenAPI 3.1 document."""
    _, components = msgspec.json.schema_components(TYPES, ref_template="#/components/schemas/{name}")
    components["Event"]["properties"]["payload"] = {"type": "object"}
    components["Error"] = record(error=record(code=STR, message=STR, field=STR))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Signalbox",
            "version": __version__,
            "description": "The event logs of long-running task runs.",
        },
        "paths": log_paths() | dialect_paths(),
        "components": {"schemas": components, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{"token": []}, {}],
    }
