"""Calls of coding agents' hooks: each is recorded in the session's task, decided by the rules, or asked to people."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
from quart import current_app, request

from signalbox.store import InvalidEvent, NewEvent, Store, UnknownTask
from signalbox.store.emitter.fit_labels import labelled
from signalbox.store.emitter.fit_payload import fitting
from signalbox.store.events import check_event
from signalbox.store.permissions import Permission
from signalbox.store.state import Task
from signalbox.webapp.acts.agent_calls import AgentCalls
from signalbox.webapp.acts.agent_questions import ANSWERED_ELSEWHERE, CANCELLED, AgentQuestions
from signalbox.webapp.auth.guard import project_for_new, require
from signalbox.webapp.coding_agents.agents import AGENTS, HookOutcome
from signalbox.webapp.coding_agents.hook_call import HookCall
from signalbox.webapp.coding_agents.path_patterns import paths_in
from signalbox.webapp.coding_agents.real_paths import followed
from signalbox.webapp.coding_agents.rules import ToolCall, Verdict
from signalbox.webapp.coding_agents.rules_file import RulesFile
from signalbox.webapp.coding_agents.session_events import SESSION, denial, session_events, span_of_subagent
from signalbox.webapp.coding_agents.user_questions import TOOL, question_form, with_answers
from signalbox.webapp.current import redaction_on_write

LATE_SECONDS = 2.0
"""A call that is older when it arrives keeps its own time."""

RULES_ACTOR = "hook rules"


class HookContext(msgspec.Struct, frozen=True, kw_only=True):
    """The facts about a call that only its machine knows: see `HookParameters` in `webapp/api/hooks.py`."""

    project: str | None = None
    branch: str | None = None
    at: float | None = None
    folder: str | None = None
    paths: tuple[str, ...] = ()
    kept: bool = False


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded call: its outcome, or the permission request with which people are to be asked."""

    call: HookCall
    task: Task
    key: str
    tool_span: str
    outcome: HookOutcome = HookOutcome()
    question: NewEvent | None = None


class AgentHooks:
    """The hooks of this process: `app.extensions["agent_hooks"]`."""

    def __init__(self, store: Store, rules: str) -> None:
        self._store = store
        self.rules_file = RulesFile(rules)
        self.questions = AgentQuestions(store)
        self._calls = AgentCalls(store)

    async def record(self, call: HookCall, context: HookContext) -> Recorded:
        """Append the events of a call and decide it by the rules.

        The call is recorded even if the agent hangs up meanwhile. Raises the errors of a task that is created and of
        an append.
        """
        return await asyncio.shield(asyncio.create_task(self._record(call, context)))

    async def ask(self, recorded: Recorded, seconds: float) -> HookOutcome:
        """Ask people for permission, and return their answer as the outcome of the call."""
        call, task, question = recorded.call, recorded.task, recorded.question
        assert question is not None
        permission = await self.questions.ask(task.task_id, question, seconds, identity=task.identity)
        if permission is not None and permission.cause == CANCELLED:
            return await self._cancelled(recorded)
        outcome = _outcome(permission, call, question)
        if outcome.decision == "deny" and recorded.tool_span:
            await self._deny(recorded, outcome.reason)
        if outcome.arguments is not None:
            self._calls.changed(task, call, outcome.arguments, recorded.tool_span)
        return outcome

    def verdict(self, call: HookCall, project_id: str, context: HookContext) -> Verdict | None:
        """Return the decision of the rules about a call of a tool."""
        if call.moment not in ("tool_start", "permission"):
            return None
        folders = tuple(filter(None, (call.cwd, context.folder)))
        asked = ToolCall(
            agent=call.agent,
            tool=call.tool,
            arguments=call.arguments,
            folders=folders,
            project=project_id,
            real_paths=context.paths,
        )
        return self.rules_file.rules.decide(asked)

    async def _record(self, call: HookCall, context: HookContext) -> Recorded:
        task = await self._task(call, context)
        now = datetime.now(UTC).timestamp()
        # A call from the future would make all later ones seem to be overtaken.
        at = min(context.at or now, now)
        key = self._calls.key(task, call, at)
        span, is_new_tool = await self._calls.tool_span(task, call)
        late = context.kept or now - at > LATE_SECONDS
        occurred = datetime.fromtimestamp(at, UTC).isoformat() if late else None
        overtaken = self._calls.overtaken(task, at, kept=context.kept)
        events = session_events(
            call, task, key=key, tool_span=span, is_new_tool=is_new_tool, at=occurred, overtaken=overtaken
        )
        if context.branch and task.tags.get("branch") != context.branch:
            payload = {"tags": {"branch": context.branch[:200]}}
            events.append(NewEvent(event_type="tags_changed", payload=payload, key=f"{key}:branch"))
        await self._store.aappend(task.task_id, await asyncio.to_thread(_kept, events), identity=task.identity)
        if task.permissions_open:
            await self._close_answered(task, call, span)
        if context.kept:
            # The agent has decided by itself.
            return Recorded(call=call, task=task, key=key, tool_span=span)
        # In a thread, because the rules may compare thousands of commands and paths.
        verdict = await asyncio.to_thread(self.verdict, call, task.project_id, context)
        recorded = Recorded(call=call, task=task, key=key, tool_span=span)
        return await self._decided(recorded, verdict)

    async def _task(self, call: HookCall, context: HookContext) -> Task:
        task_id = call.task_id
        try:
            async with self._store.glance() as view:
                task = await view.task(task_id)
        except UnknownTask:
            project_id = await project_for_new(context.project)
            facts = {name: getattr(call, name) for name in ("cwd", "session_id", "transcript_path")}
            tags = {"branch": context.branch, "model": call.model}
            metadata = labelled(_given(facts), _given(tags), None, strict=False)
            metadata = redaction_on_write().value(metadata)
            task, _ = await self._store.acreate_task(task_id, kind=call.agent, metadata=metadata, project_id=project_id)
        await require("emit", task_id)
        return task

    async def _close_answered(self, task: Task, call: HookCall, span: str) -> None:
        """Close the requests that were answered in the agent's own prompt: their tool ran, or the turn is over."""
        parent = span_of_subagent(call.agent_id) if call.agent_id else SESSION
        async with self._store.glance() as view:
            opened = await view.permissions(task.task_id, limit=100)
            if call.moment in ("tool_end", "tool_failure", "permission_denied"):
                answered = [one for one in opened if one.span_id == span]
            elif call.moment in ("prompt", "turn_end", "turn_failure", "subagent_end"):
                spans = {one.span_id: await view.span(task.task_id, one.span_id) for one in opened}
                answered = [one for one in opened if (of := spans[one.span_id]) and of.parent_span_id == parent]
            else:
                return
        said = "answered in the agent's own prompt"
        for one in answered:
            place = (task.task_id, one.request_id, one.span_id)
            await self.questions.close_request(*place, ANSWERED_ELSEWHERE, said, identity=task.identity)

    async def _decided(self, recorded: Recorded, verdict: Verdict | None) -> Recorded:
        call, agent = recorded.call, AGENTS[recorded.call.agent]
        early = call.moment == "tool_start"
        if recorded.task.cancel_requested and call.moment in ("tool_start", "permission"):
            return msgspec.structs.replace(recorded, outcome=await self._cancelled(recorded))
        if verdict is None and (early or call.moment != "permission"):
            return recorded
        if verdict is not None and verdict.decision == "allow" and early and not agent.allows_early:
            return recorded
        if verdict is not None:
            await self._applied(recorded, verdict)
            reason = verdict.rule.reason or f"by {verdict.words} of Signalbox"
            if verdict.decision == "deny":
                await self._deny(recorded, reason)
            if verdict.decision != "ask":
                return msgspec.structs.replace(recorded, outcome=HookOutcome(decision=verdict.decision, reason=reason))
        form = question_form(call.arguments) if call.tool == TOOL else None
        if call.tool == TOOL and form is None:
            return recorded
        return msgspec.structs.replace(recorded, question=await self._question(recorded, verdict, form))

    async def _question(self, recorded: Recorded, verdict: Verdict | None, form: dict[str, Any] | None) -> NewEvent:
        call, agent = recorded.call, AGENTS[recorded.call.agent]
        editable = form is None and call.event in agent.edits and isinstance(call.arguments, dict)
        described = call.arguments.get("description") if isinstance(call.arguments, dict) else None
        reason = (verdict.rule.reason if verdict else None) or (described if isinstance(described, str) else None)
        payload = {
            "request_id": f"ask-{recorded.key.removeprefix('hook:')}",
            "tool_name": call.tool or "tool",
            "arguments": call.arguments if form is None else None,
            "editable": True if editable else None,
            "response_schema": form,
            "reason": reason,
        }
        event = NewEvent(
            event_type="permission_request",
            span_id=recorded.tool_span or SESSION,
            payload=_given(payload),
            key=f"{recorded.key}:ask",
        )
        (kept,) = await asyncio.to_thread(_kept, [event])
        if editable and kept.payload.get("arguments") != call.arguments:
            # What a person cannot see in full must not be sent back as their change.
            kept = msgspec.structs.replace(kept, payload={n: v for n, v in kept.payload.items() if n != "editable"})
        return kept

    async def _applied(self, recorded: Recorded, verdict: Verdict) -> None:
        payload = {
            "decision": verdict.decision,
            "rule": verdict.words,
            "tool_name": recorded.call.tool,
            "reason": verdict.rule.reason,
        }
        span = recorded.tool_span or SESSION
        event = NewEvent(event_type="rule_applied", span_id=span, payload=_given(payload), key=f"{recorded.key}:rule")
        await self._store.aappend_audited(
            recorded.task.task_id,
            event,
            actor=RULES_ACTOR,
            action="rule_applied",
            source=request.remote_addr,
            identity=recorded.task.identity,
        )

    async def _cancelled(self, recorded: Recorded) -> HookOutcome:
        """Deny a tool call because a person cancelled the session, and end its task."""
        task, said = recorded.task, "A person cancelled this session in Signalbox."
        await self._deny(recorded, said)
        if not task.ended:
            payload = {"status": "cancelled", "message": said}
            end = NewEvent(event_type="runner_exit", span_id=SESSION, payload=payload, key=f"{recorded.key}:cancelled")
            await self._store.aappend(task.task_id, end, identity=task.identity)
        return HookOutcome(decision="deny", reason=said, stop=True)

    async def _deny(self, recorded: Recorded, reason: str) -> None:
        event = denial(recorded.call, recorded.tool_span, reason, recorded.key)
        await self._store.aappend(recorded.task.task_id, event, identity=recorded.task.identity)


def agent_hooks() -> AgentHooks:
    """Return the hooks of this process."""
    return cast(AgentHooks, current_app.extensions["agent_hooks"])


def context_on_this_machine(call: HookCall, context: HookContext) -> HookContext:
    """Return the context with the links of a call's paths followed, for a call from this machine. May block."""
    folder = followed([call.cwd], "/")[:1] if call.cwd and not context.folder else ()
    paths = followed(paths_in(call.arguments), call.cwd)
    return msgspec.structs.replace(
        context, folder=context.folder or next(iter(folder), None), paths=(*context.paths, *paths)
    )


def _outcome(permission: Permission | None, call: HookCall, question: NewEvent) -> HookOutcome:
    state = permission.state if permission is not None else "cleared"
    if permission is None or state not in ("approved", "denied"):
        return HookOutcome(asked=True, reason="Nobody answered in Signalbox.")
    who = f"{'Approved' if state == 'approved' else 'Denied'} by {permission.by} in Signalbox"
    said = f"{who}: {permission.answer_reason}" if permission.answer_reason else f"{who}."
    if state == "denied":
        return HookOutcome(decision="deny", reason=said)
    changed = None
    if "response_schema" in question.payload:
        changed = with_answers(call.arguments, permission.value)
    elif question.payload.get("editable") and permission.value != call.arguments:
        changed = permission.value
    return HookOutcome(decision="allow", reason=said, arguments=changed)


def _kept(events: list[NewEvent]) -> list[NewEvent]:
    """Return events without secrets, if the server redacts, and cut to the size of an event. May be slow."""
    return [_fitting(event) for event in redaction_on_write().events(events)]


def _fitting(event: NewEvent) -> NewEvent:
    try:
        check_event(event)
    except InvalidEvent:
        return fitting(event)
    return event


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "")}
