"""The table of tools: their descriptions, schemas and hints, and the answer to a call."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import mcp_types as types
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from pydantic import BaseModel, ValidationError

from signalbox.store import StoreError
from signalbox.webapp.mcp.acting import answer_permission, cancel_run, list_projects, send_message, start_run
from signalbox.webapp.mcp.console import Console
from signalbox.webapp.mcp.log import read_log
from signalbox.webapp.mcp.reading import explain_failure, list_runs, read_run
from signalbox.webapp.mcp.waiting import wait_for_runs

MAX_ANSWER_CHARS = 40_000
"""Characters of an answer as JSON, about 10,000 tokens. The tools limit their parts; this is the last resort."""

logger = logging.getLogger("signalbox.mcp")


def _tool(function: Callable[..., Any], title: str, *, reads: bool = True, destructive: bool = False) -> Tool:
    hints = types.ToolAnnotations(
        title=title,
        read_only_hint=reads,
        destructive_hint=None if reads else destructive,
        idempotent_hint=True if reads else None,
        open_world_hint=False,
    )
    # The console takes the place of the SDK's context: the caller of a tool does not see this parameter.
    return Tool.from_function(function, title=title, annotations=hints, context_kwarg="console", structured_output=True)


TOOLS = {
    tool.name: tool
    for tool in (
        _tool(list_runs, "List and search runs"),
        _tool(read_run, "Read the state of a run"),
        _tool(explain_failure, "Explain why a run failed"),
        _tool(read_log, "Read a part of a log"),
        _tool(wait_for_runs, "Wait for runs"),
        _tool(list_projects, "List projects"),
        _tool(answer_permission, "Answer a permission request", reads=False, destructive=True),
        _tool(start_run, "Start a run", reads=False),
        _tool(cancel_run, "Ask a run to stop", reads=False, destructive=True),
        _tool(send_message, "Send a message to a run", reads=False),
    )
}


def listed() -> list[types.Tool]:
    """Return the tools as a client sees them."""
    return [
        types.Tool(
            name=tool.name,
            title=tool.title,
            description=tool.description,
            input_schema=_short(tool.parameters),
            output_schema=_short(tool.output_schema, answers=True),
            annotations=tool.annotations,
        )
        for tool in TOOLS.values()
    ]


async def call(name: str, arguments: dict[str, Any], console: Console) -> types.CallToolResult:
    """Call a tool. A failure is a result that the agent can read, with `is_error`."""
    tool = TOOLS.get(name)
    if tool is None:
        return _failed(f"there is no tool {name!r}; the tools are {', '.join(TOOLS)}")
    unknown = sorted(arguments.keys() - tool.parameters["properties"].keys())
    if unknown:
        return _failed(f"{name} has no parameter {unknown[0]!r}; it has {', '.join(tool.parameters['properties'])}")
    try:
        answer: BaseModel = await tool.run(arguments, console)  # type: ignore[arg-type]
    except ToolError as error:
        if isinstance(error.__cause__, ValidationError):
            return _failed(_wrong_arguments(error.__cause__))
        if isinstance(error.__cause__, StoreError):
            # The database of `signalbox mcp --store` cannot be opened.
            return _failed(str(error.__cause__))
        if not isinstance(error.__cause__, ToolError):
            logger.exception("a tool failed: %s", name)
        return _failed(str(error).removeprefix(f"Error executing tool {name}: "))
    text = answer.model_dump_json(exclude_none=True)
    if len(text) > MAX_ANSWER_CHARS:
        return _failed(f"the answer has {len(text):,} characters; ask for less, with a filter or a lower limit")
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)],
        structured_content=answer.model_dump(mode="json", exclude_none=True),
    )


def _wrong_arguments(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()[:5])


def _short(schema: Any, *, answers: bool = False) -> Any:
    """Return a JSON Schema without the titles that repeat names, which an agent would have to read.

    In the schemas of `answers` a field that may be null is one that may be absent.
    """
    if isinstance(schema, list):
        return [_short(one, answers=answers) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {name: value for name, value in schema.items() if not (name == "title" and isinstance(value, str))}
    choices = kept.get("anyOf")
    if answers and isinstance(choices, list) and len(choices) == 2 and choices[1] == {"type": "null"}:
        kept = choices[0] | {name: value for name, value in kept.items() if name not in ("anyOf", "default")}
    return {name: _short(value, answers=answers) for name, value in kept.items()}


def _failed(message: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=message)], is_error=True)
