"""`/api/hooks/{agent}`: the hooks of coding agents. The answer is the one that the agent expects of a hook."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from ipaddress import ip_address
from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta
from quart import Blueprint, Response, request

from signalbox.store import InvalidEvent, StoreError
from signalbox.store.loops import end_tasks
from signalbox.store.people import DEFAULT_PROJECT
from signalbox.webapp.acts.agent_hooks import HookContext, Recorded, agent_hooks, context_on_this_machine
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.guard import project_for_new, ticket
from signalbox.webapp.auth.quota_guard import count_events
from signalbox.webapp.coding_agents.agents import AGENTS, HookOutcome
from signalbox.webapp.coding_agents.hook_answers import hook_answer
from signalbox.webapp.coding_agents.hook_call import HookCall, InvalidCall
from signalbox.webapp.current import hub, settings
from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.endpoint import Result, endpoint
from signalbox.webapp.http.refusals import TooManyStreams, UnknownAgent, UnknownProject

blueprint = Blueprint("api_hooks", __name__, url_prefix="/api/hooks")

BEAT_SECONDS = 1.0
"""Seconds between two spaces before the JSON of an answer for which a person is asked: the server is alive."""

_Path = Annotated[str, Meta(max_length=4096)]
_Branch = Annotated[str, Meta(max_length=250)]
_Moment = Annotated[float, Meta(ge=0, le=100_000_000_000)]
_Wait = Annotated[float, Meta(ge=0, le=86400)]


class HookParameters(msgspec.Struct, frozen=True, kw_only=True):
    """The facts that `signalbox hook` adds to the JSON of an agent."""

    project: Annotated[str | None, Meta(description="The project of a new session.")] = None
    branch: Annotated[_Branch | None, Meta(description="The branch of the session's folder.")] = None
    at: Annotated[_Moment | None, Meta(description="When the agent called, in seconds since 1970.")] = None
    wait: Annotated[_Wait | None, Meta(description="How long the agent waits for an answer, in seconds.")] = None
    kept: Annotated[bool, Meta(description="The call was kept on disk: it is recorded, and nobody is asked.")] = False
    folder: Annotated[_Path | None, Meta(description="The session's folder with its links followed.")] = None
    path: Annotated[
        tuple[_Path, ...], Meta(description="The paths that the call names with their links followed.")
    ] = ()


_Text = {"type": "string", "minLength": 1, "maxLength": 1000}
HookBody = Annotated[
    dict[str, Any],
    Meta(
        description="The JSON that the agent gives to a hook. Other fields depend on the agent and the event.",
        extra_json_schema={
            "required": ["hook_event_name", "session_id"],
            "properties": {"hook_event_name": _Text, "session_id": _Text},
        },
    ),
]


class Decided(msgspec.Struct, kw_only=True):
    """What the rules say about a call. `rule` is their text, `number` its place, None if no rule matches."""

    decision: str | None
    number: int | None = None
    rule: str | None = None
    reason: str | None = None


@blueprint.post("/<agent>")
@needs("emit")
@endpoint(
    "Report a call of a coding agent's hook, and return the answer for the agent.",
    raises=(InvalidEvent, UnknownAgent, UnknownProject, TooManyStreams),
)
async def receive(agent: str, query: HookParameters, body: HookBody) -> Result[dict[str, Any]]:
    """An empty object means that the agent decides by itself. If a person is asked, the answer takes up to the setting
    `hook_wait`; until then the response consists of spaces.
    """
    call = await _call(agent, body)
    context = await _context(call, query)
    count_events(1)
    recorded = await agent_hooks().record(call, context)
    if recorded.question is None:
        return Result(hook_answer(call, recorded.outcome))
    seconds = settings().hook_wait if query.wait is None else min(settings().hook_wait, query.wait)
    # The declared result is what the stream consists of in the end.
    return cast(Result[dict[str, Any]], _waiting(recorded, seconds))


@blueprint.post("/<agent>/test")
@needs("emit")
@endpoint("Try the rules for a call of a hook, without recording it.", raises=(UnknownAgent, UnknownProject))
async def test(agent: str, query: HookParameters, body: HookBody) -> Decided:
    call = await _call(agent, body)
    context = await _context(call, query)
    project_id = await project_for_new(query.project)
    verdict = await asyncio.to_thread(agent_hooks().verdict, call, project_id or DEFAULT_PROJECT, context)
    if verdict is None:
        return Decided(decision=None)
    return Decided(decision=verdict.decision, number=verdict.number, rule=verdict.words, reason=verdict.rule.reason)


async def _call(agent: str, body: dict[str, Any]) -> HookCall:
    if agent not in AGENTS:
        raise UnknownAgent(agent, list(AGENTS))
    try:
        # In a thread, like all that looks at each value of a call: a large one would stop the server meanwhile.
        return await asyncio.to_thread(AGENTS[agent].read, body)
    except InvalidCall as error:
        raise BadRequest(str(error), error.field) from None


async def _context(call: HookCall, query: HookParameters) -> HookContext:
    context = HookContext(
        project=query.project,
        branch=query.branch,
        at=query.at,
        folder=query.folder,
        paths=query.path,
        kept=query.kept,
    )
    if not _is_local(request.remote_addr):
        return context
    return await asyncio.to_thread(context_on_this_machine, call, context)


def _is_local(address: str | None) -> bool:
    try:
        return ip_address(address or "").is_loopback
    except ValueError:
        return False


def _waiting(recorded: Recorded, seconds: float) -> Response:
    """Return a response that consists of spaces until a person has answered, and then of the answer."""
    hooks, streams, caller = agent_hooks(), hub(), ticket()

    async def body() -> AsyncIterator[bytes]:
        try:
            # It counts as a stream, so that no caller takes the places of the others.
            with streams.waiting(caller, ()):
                # Close it at once when the caller hangs up: only then is the question withdrawn.
                async with aclosing(answer()) as parts:
                    async for part in parts:
                        yield part
        except TooManyStreams:
            yield msgspec.json.encode(hook_answer(recorded.call, HookOutcome(asked=True)))

    async def answer() -> AsyncGenerator[bytes]:
        task = asyncio.create_task(hooks.ask(recorded, seconds), name="signalbox-agent-question")
        try:
            while not task.done() and not streams.closing:
                yield b" "
                await asyncio.wait({task}, timeout=BEAT_SECONDS)
            yield msgspec.json.encode(hook_answer(recorded.call, _result(task)))
        finally:
            await end_tasks(task)

    response = Response(body(), content_type="application/json")
    response.headers.update({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
    response.timeout = None
    return response


def _result(task: asyncio.Task[HookOutcome]) -> HookOutcome:
    """Return the answer of a question; that of nobody if the server stops or the store failed."""
    if not task.done() or isinstance(task.exception(), StoreError | TooManyStreams):
        return HookOutcome(asked=True)
    return task.result()
