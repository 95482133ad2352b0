"""Starts a project's command as a `signalbox run` process that outlives the web process."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import Any

from signalbox.store import InvalidEvent, Store
from signalbox.store.state import Task
from signalbox.webapp.agents.configuration import Command, CommandAgent, agent_of
from signalbox.webapp.agents.errors import AgentUnavailable
from signalbox.webapp.process import detached_run
from signalbox.webapp.process.signature import CommandLine


def command_line(command: Command) -> CommandLine:
    """Return the command line that runs `command`."""
    limit = () if command.time_limit is None else ("--time-limit", f"{command.time_limit:g}")
    cwd = os.path.abspath(command.cwd or os.getcwd())
    return CommandLine(command=tuple(command.argv), cwd=cwd, environment=command.env, options=limit)


def environment_for(line: CommandLine, agent: dict[str, Any] | None) -> dict[str, str]:
    """Return the `env` of the command in a project's `agent` that a retry of `line` runs; {} if no command matches."""
    try:
        found = agent_of(agent)
    except InvalidEvent:
        return {}
    for command in found.allowed.values() if isinstance(found, CommandAgent) else ():
        own = command_line(command)
        # The log records the directory with symbolic links resolved.
        if (own.command, os.path.realpath(own.cwd), own.options) == (line.command, line.cwd, line.options):
            return command.env
    return {}


def check(command: Command) -> None:
    """Raise AgentUnavailable if the program or its directory does not exist."""
    if reason := detached_run.reason_not_to_start(command_line(command)):
        raise AgentUnavailable(f"the agent cannot be started: {reason}")


async def start(command: Command, store: Store, task: Task) -> asyncio.Future[int]:
    """Start `command` as `task`. Returns a future of its exit code. Raises AgentUnavailable."""
    loop = asyncio.get_running_loop()
    exit_code: asyncio.Future[int] = loop.create_future()

    def set_exit_code(code: int) -> None:
        if not exit_code.done():
            exit_code.set_result(code)

    def ended(code: int) -> None:
        # RuntimeError: the loop is closed because the server has stopped.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(set_exit_code, code)

    try:
        await asyncio.to_thread(detached_run.start, store, task, None, command_line(command), ended)
    except OSError as error:
        raise AgentUnavailable(f"the agent cannot be started: {error.strerror}") from error
    return exit_code
