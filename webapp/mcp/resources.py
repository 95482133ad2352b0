"""Runs as resources: their state, the reason of their failure, and the end of their log."""

from __future__ import annotations

import re
from collections.abc import Awaitable
from typing import TypeVar

import mcp_types as types
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel

from signalbox.webapp.mcp.console import Console
from signalbox.webapp.mcp.log import read_log
from signalbox.webapp.mcp.reading import explain_failure, list_runs, read_run

T = TypeVar("T")

LISTED = 20
LIST_URI = "signalbox://tasks"
_URI = re.compile(r"signalbox://tasks/([^/?#]+)(?:/(log|failure))?")

TEMPLATES = [
    types.ResourceTemplate(
        name="run",
        title="A run",
        uri_template="signalbox://tasks/{task_id}",
        description="The state of a run: status, progress, permission requests, spans.",
        mime_type="application/json",
    ),
    types.ResourceTemplate(
        name="log",
        title="The log of a run",
        uri_template="signalbox://tasks/{task_id}/log",
        description="The newest lines of a run's log.",
        mime_type="text/plain",
    ),
    types.ResourceTemplate(
        name="failure",
        title="The failure of a run",
        uri_template="signalbox://tasks/{task_id}/failure",
        description="Why a run failed.",
        mime_type="application/json",
    ),
]


async def listed(console: Console) -> list[types.Resource]:
    """Return the list of runs and the newest runs as resources."""
    found = await _as_resource(LIST_URI, list_runs(console, limit=LISTED))
    runs = [
        types.Resource(
            name=row.task_id,
            title=row.title or row.task_id,
            uri=f"{LIST_URI}/{row.task_id}",
            description=f"{row.kind or 'run'}, {row.status}",
            mime_type="application/json",
        )
        for row in found.runs
    ]
    every = types.Resource(name="runs", title="The newest runs", uri=LIST_URI, mime_type="application/json")
    return [every, *runs]


async def read(uri: str, console: Console) -> types.ReadResourceResult:
    """Return the content of a resource. Raises MCPError if there is none."""
    if uri == LIST_URI:
        return _json(uri, await _as_resource(uri, list_runs(console, limit=LISTED)))
    task_id, part = run_of(uri)
    if part == "log":
        log = await _as_resource(uri, read_log(console, task_id))
        content = types.TextResourceContents(uri=uri, mime_type="text/plain", text="\n".join(log.lines))
        return types.ReadResourceResult(contents=[content])
    if part == "failure":
        return _json(uri, await _as_resource(uri, explain_failure(console, task_id)))
    return _json(uri, await _as_resource(uri, read_run(console, task_id)))


def run_of(uri: str) -> tuple[str, str]:
    """Return the run of a URI and the part of it that is meant, "" for its state. Raises MCPError."""
    found = _URI.fullmatch(uri)
    if found is None:
        expected = ", ".join([LIST_URI, *(template.uri_template for template in TEMPLATES)])
        raise MCPError(types.INVALID_PARAMS, f"there is no resource {uri!r}; the resources are {expected}")
    return found[1], found[2] or ""


async def _as_resource(uri: str, answer: Awaitable[T]) -> T:
    try:
        return await answer
    except ToolError as error:
        raise MCPError(types.INVALID_PARAMS, str(error), {"uri": uri}) from error


def _json(uri: str, value: BaseModel) -> types.ReadResourceResult:
    text = value.model_dump_json(exclude_none=True)
    content = types.TextResourceContents(uri=uri, mime_type="application/json", text=text)
    return types.ReadResourceResult(contents=[content])
