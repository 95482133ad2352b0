"""Interrupts of LangGraph as permission requests, and answers of people as values that resume the graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from signalbox.integrations.langchain.threads import AskedInterrupt, Threads
from signalbox.integrations.reporting.traces.questions import Question
from signalbox.integrations.reporting.traces.traced_task import TracedTask
from signalbox.store.answers import check_schema
from signalbox.store.emitter.permission import Answer

NAME = "interrupt"
"""The name of a request whose interrupt names no action."""


def ask_about(threads: Threads, task: TracedTask, thread: str | None, interrupts: Sequence[Any]) -> None:
    """Show interrupts on the pages. An interrupt of a subgraph is reported again by the graph around it."""
    for interrupt in interrupts:
        if threads.asked(interrupt.id) is not None:
            continue
        questions = tuple(_questions(task, threads.span_of(interrupt.id), interrupt))
        threads.interrupted(thread, task, AskedInterrupt(task, interrupt, questions))
        for question in questions:
            question.ask()


def close_questions(threads: Threads, task: TracedTask) -> None:
    """Close the requests of interrupts that were answered elsewhere, because the graph continues."""
    for asked in threads.forget_interrupts(task):
        for question in asked.questions:
            question.withdraw("resumed")


def resume_value(interrupt: Any, answers: Sequence[Answer]) -> Any:
    """Return the value with which an interrupt is resumed after these answers of people.

    - For an interrupt with a `response_schema`, or with `choices`: the value of the person, False if it was denied.
    - For the requests of LangChain's human-in-the-loop middleware: `{"decisions": […]}`.
    - For any other interrupt: True if it was approved, else False.
    """
    actions = _actions(interrupt.value)
    if actions:
        return {"decisions": [_decision(action, answer) for action, answer in zip(actions, answers, strict=True)]}
    answer = answers[0]
    if not answer.approved:
        return False
    return True if answer.value is None else answer.value


def _questions(task: TracedTask, span_id: str | None, interrupt: Any) -> list[Question]:
    value = interrupt.value
    if actions := _actions(value):
        configs = {config.get("action_name"): config for config in value.get("review_configs", ())}
        return [
            _about_action(task, span_id, interrupt, action, configs.get(action.get("name"), {})) for action in actions
        ]
    asked: dict[str, Any] = {}
    schema = getattr(interrupt, "response_schema", None)
    if isinstance(schema, dict) and _is_usable(schema):
        asked["response_schema"] = schema
    elif isinstance(value, dict) and isinstance(value.get("choices"), list):
        asked["choices"] = value["choices"]
    name, reason, arguments = NAME, None, value
    if isinstance(value, str):
        reason, arguments = value, None
    elif isinstance(value, dict):
        name = next((value[key] for key in ("action", "tool", "name") if isinstance(value.get(key), str)), NAME)
        reason = next(
            (value[key] for key in ("question", "message", "reason") if isinstance(value.get(key), str)), None
        )
    return [Question(task, span_id, name, arguments, reason=reason, interrupt_id=interrupt.id, **asked)]


def _about_action(
    task: TracedTask, span_id: str | None, interrupt: Any, action: dict[str, Any], config: dict[str, Any]
) -> Question:
    """Return the question about one tool call of the human-in-the-loop middleware."""
    can_edit = "edit" in config.get("allowed_decisions", ("edit",))
    name, arguments = str(action.get("name") or NAME), action.get("args", action.get("arguments"))
    reason = action.get("description")
    return Question(
        task,
        span_id,
        name,
        arguments,
        reason=reason if isinstance(reason, str) else None,
        editable=can_edit,
        interrupt_id=interrupt.id,
    )


def _actions(value: Any) -> list[dict[str, Any]]:
    actions = value.get("action_requests") if isinstance(value, dict) else None
    return actions if isinstance(actions, list) and all(isinstance(one, dict) for one in actions) else []


def _decision(action: dict[str, Any], answer: Answer) -> dict[str, Any]:
    if not answer.approved:
        reason = {"message": answer.reason} if answer.reason else {}
        return {"type": "reject", **reason}
    arguments = action.get("args", action.get("arguments"))
    if answer.value is None or answer.value == arguments:
        return {"type": "approve"}
    return {"type": "edit", "edited_action": {"name": action.get("name"), "args": answer.value}}


def _is_usable(schema: dict[str, Any]) -> bool:
    try:
        check_schema(schema)
    except Exception:
        return False
    return True
