"""A project's command, started as `signalbox run` beside the web process, which it outlives."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import Any

from signalbox.store import InvalidEvent
from signalbox.webapp.agents.configuration import Command, CommandAgent, agent_of
from signalbox.webapp.agents.errors import AgentUnavailable
from signalbox.webapp.process import detached_run
from signalbox.webapp.process.signature import CommandLine


def line_of(command: Command) -> CommandLine:
    """The command as it is run."""
    limit = () if command.time_limit is None else ("--time-limit", f"{command.time_limit:g}")
    cwd = os.path.abspath(command.cwd or os.getcwd())
    return CommandLine(command=tuple(command.argv), cwd=cwd, environment=command.env, options=limit)


def environment_for(line: CommandLine, agent: dict[str, Any] | None) -> dict[str, str]:
    """The `env` of the command of a project's `agent` that `line` is another try of; none for any other line."""
    try:
        found = agent_of(agent)
    except InvalidEvent:
        return {}
    for command in found.allowed.values() if isinstance(found, CommandAgent) else ():
        own = line_of(command)
        # A log tells the directory without links.
        if (own.command, os.path.realpath(own.cwd), own.options) == (line.command, line.cwd, line.options):
            return command.env
    return {}


def check(command: Command) -> None:
    """Raise AgentUnavailable if the command or its directory is not there."""
    if reason := detached_run.why_not(line_of(command)):
        raise AgentUnavailable(f"the agent cannot be started: {reason}")


async def start(command: Command, store_url: str, task_id: str) -> asyncio.Future[int]:
    """Start `command` as the task; the future is for its exit code. Raises AgentUnavailable."""
    loop = asyncio.get_running_loop()
    over: asyncio.Future[int] = loop.create_future()

    def tell(code: int) -> None:
        if not over.done():
            over.set_result(code)

    def ended(code: int) -> None:
        # The loop is closed when the server has stopped meanwhile.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(tell, code)

    try:
        await asyncio.to_thread(detached_run.start, store_url, task_id, None, line_of(command), ended)
    except OSError as error:
        raise AgentUnavailable(f"the agent cannot be started: {error.strerror}") from error
    return over
