"""Permissions of tool calls of Claude, asked on the pages of Signalbox."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

import anyio
from claude_agent_sdk import PermissionResult, PermissionResultAllow, PermissionResultDeny, ToolPermissionContext

from signalbox.integrations.claude_agent.session import ClaudeSession
from signalbox.integrations.reporting.traces.harmless import log
from signalbox.integrations.reporting.traces.questions import Question
from signalbox.store.emitter.permission import Answer

CanUseTool = Callable[[str, dict[str, Any], ToolPermissionContext], Awaitable[PermissionResult]]
Fallback = Literal["allow", "deny"] | CanUseTool

ASK_USER = "AskUserQuestion"
"""The tool with which Claude asks questions. Its answers are a part of its input."""


async def ask(
    session: ClaudeSession,
    tool_name: str,
    tool_input: dict[str, Any],
    context: ToolPermissionContext,
    *,
    timeout: float | None,
    fallback: Fallback,
) -> PermissionResult:
    """Return the answer of a person to a tool call. Never raises, apart from cancellations.

    Without an answer within `timeout` seconds, or if the store cannot be reached, `fallback` answers.
    """
    try:
        answer = await _answer(session, tool_name, tool_input, context, timeout)
    except Exception:
        log.warning("signalbox could not ask for permission to use %s", tool_name, exc_info=True)
        answer = None
    if answer is not None and answer.approved:
        return PermissionResultAllow(updated_input=_approved_input(tool_name, tool_input, answer.value))
    if answer is not None and answer.state == "denied":
        return PermissionResultDeny(message=answer.reason or f"{answer.by or 'A person'} denied this call.")
    if answer is not None and answer.state == "cancelled":
        return PermissionResultDeny(message="Somebody asked the run to stop.", interrupt=True)
    if fallback == "allow":
        return PermissionResultAllow(updated_input=tool_input)
    if fallback == "deny":
        return PermissionResultDeny(message="Nobody answered the request for permission.")
    return await fallback(tool_name, tool_input, context)


async def _answer(
    session: ClaudeSession,
    tool_name: str,
    tool_input: dict[str, Any],
    context: ToolPermissionContext,
    timeout: float | None,
) -> Answer | None:
    tool_id = context.tool_use_id
    if tool_id is not None:
        session.tools.start(tool_id, tool_name, tool_input, session.tools.place_of(context.agent_id))
    schema = _questions_schema(tool_input) if tool_name == ASK_USER else None
    question = Question(
        session.task,
        tool_id,
        tool_name,
        tool_input,
        reason=context.decision_reason or context.title or context.description,
        seconds=timeout,
        response_schema=schema,
        editable=schema is None,
        blocked_path=context.blocked_path,
    )
    question.ask()
    try:
        limiter = anyio.CapacityLimiter(1)
        return await anyio.to_thread.run_sync(question.wait, abandon_on_cancel=True, limiter=limiter)
    except BaseException:
        # The agent does not need the answer any more.
        question.withdraw_if_open()
        raise


def _approved_input(tool_name: str, tool_input: dict[str, Any], value: Any) -> dict[str, Any]:
    if tool_name != ASK_USER or not isinstance(value, dict):
        return value if isinstance(value, dict) else tool_input
    questions = [one for one in tool_input.get("questions", ()) if isinstance(one, dict)]
    answers = {}
    for number, question in enumerate(questions, 1):
        chosen = value.get(f"answer_{number}")
        if chosen:
            answers[str(question.get("question"))] = ", ".join(chosen) if isinstance(chosen, list) else str(chosen)
    return {**tool_input, "answers": answers}


def _questions_schema(tool_input: dict[str, Any]) -> dict[str, Any] | None:
    """Return a form with the options of each question. None if the input has another shape."""
    fields: dict[str, Any] = {}
    for number, question in enumerate(tool_input.get("questions") or (), 1):
        labels = [str(option["label"]) for option in question.get("options") or () if "label" in option]
        if not labels:
            return None
        choice = {"type": "string", "enum": labels}
        title = {"title": str(question.get("question") or question.get("header") or f"Question {number}")}
        many = {"type": "array", "items": choice, "uniqueItems": True}
        fields[f"answer_{number}"] = {**(many if question.get("multiSelect") else choice), **title}
    return {"type": "object", "properties": fields, "required": list(fields)} if fields else None
