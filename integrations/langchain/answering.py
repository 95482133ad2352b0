"""Calls of graphs that wait for people: each interrupt is asked on the pages, and the answer resumes the graph."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.callbacks import BaseCallbackManager

from signalbox.integrations.langchain.handler import SignalboxCallbackHandler
from signalbox.integrations.langchain.interrupts import resume_value
from signalbox.integrations.langchain.threads import AskedInterrupt
from signalbox.store.emitter.permission import Answer

ResumeWith = Callable[[Any, Sequence[Answer]], Any]
"""Returns the value for an interrupt from the answers: one, or one for each tool call of the middleware's request."""


def invoke(
    graph: Any,
    inputs: Any,
    config: Any = None,
    *,
    timeout: float | None = None,
    resume_with: ResumeWith = resume_value,
    **options: Any,
) -> Any:
    """Call `graph.invoke`, and resume the graph with the answers of people until it is not interrupted.

    Each wait ends after `timeout` seconds, without one never. If nobody answers in time, somebody asks the run to stop,
    or the store cannot be reached, this returns the result with its interrupts, as `graph.invoke` does.
    """
    config, handler = _with_handler(config)
    result = graph.invoke(inputs, config, **options)
    while asked := _asked(handler, result):
        answers = [[question.wait(timeout) for question in one.questions] for one in asked]
        command = _command(handler, asked, answers, resume_with)
        if command is None:
            break
        result = graph.invoke(command, config, **options)
    return result


async def ainvoke(
    graph: Any,
    inputs: Any,
    config: Any = None,
    *,
    timeout: float | None = None,
    resume_with: ResumeWith = resume_value,
    **options: Any,
) -> Any:
    """Do the same as `invoke` in asyncio."""
    config, handler = _with_handler(config)
    result = await graph.ainvoke(inputs, config, **options)
    while asked := _asked(handler, result):
        waits = [[asyncio.wrap_future(q.wait_in_thread(timeout)) for q in one.questions] for one in asked]
        answers = [[await wait for wait in group] for group in waits]
        command = _command(handler, asked, answers, resume_with)
        if command is None:
            break
        result = await graph.ainvoke(command, config, **options)
    return result


def _with_handler(config: Any) -> tuple[dict[str, Any], SignalboxCallbackHandler]:
    """Return a configuration whose callbacks have a handler, and the handler."""
    config = dict(config or {})
    callbacks = config.get("callbacks") or []
    handlers = callbacks.handlers if isinstance(callbacks, BaseCallbackManager) else callbacks
    found = next((one for one in handlers if isinstance(one, SignalboxCallbackHandler)), None)
    if found is not None:
        return config, found
    handler = SignalboxCallbackHandler()
    if isinstance(callbacks, BaseCallbackManager):
        callbacks = callbacks.copy()
        callbacks.add_handler(handler)
        return {**config, "callbacks": callbacks}, handler
    return {**config, "callbacks": [*callbacks, handler]}, handler


def _asked(handler: SignalboxCallbackHandler, result: Any) -> list[AskedInterrupt]:
    """Return the interrupts of a result. Empty if there are none, or if one of them was not reported."""
    interrupts = getattr(result, "interrupts", None)
    if interrupts is None and isinstance(result, dict):
        interrupts = result.get("__interrupt__")
    found = [handler.runs.threads.asked(interrupt.id) for interrupt in interrupts or ()]
    return [one for one in found if one is not None] if None not in found else []


def _command(
    handler: SignalboxCallbackHandler,
    asked: Sequence[AskedInterrupt],
    answers: Sequence[Sequence[Answer | None]],
    resume_with: ResumeWith,
) -> Any:
    """Return the command that resumes the graph. None if people did not answer everything: then the task ends."""
    from langgraph.types import Command

    given: list[list[Answer]] = [[answer for answer in group if answer is not None] for group in answers]
    flat = [answer for group in given for answer in group]
    complete = all(len(some) == len(group) for some, group in zip(given, answers, strict=True))
    if not complete or any(answer.state not in ("approved", "denied") for answer in flat):
        states = {answer.state for answer in flat}
        for one in asked:
            for question in one.questions:
                question.withdraw_if_open()
        asked[0].task.stop_waiting("somebody asked the run to stop" if "cancelled" in states else "nobody answered")
        return None
    for one in asked:
        handler.runs.threads.answered(one.interrupt.id)
    return Command(
        resume={one.interrupt.id: resume_with(one.interrupt, some) for one, some in zip(asked, given, strict=True)}
    )
