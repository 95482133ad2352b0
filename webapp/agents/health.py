"""Whether agents are there: asked for, and remembered for a moment, because every caller wants to know."""

from __future__ import annotations

import time

from signalbox.webapp.agents import commands
from signalbox.webapp.agents.agent_server import AgentServer
from signalbox.webapp.agents.configuration import Command, UpstreamAgent
from signalbox.webapp.agents.errors import AgentUnavailable

REMEMBERED = 1.0
"""Seconds for which an agent server's answer holds."""


class Health:
    """What is known of agent servers. Two projects may know one by different tokens."""

    def __init__(self) -> None:
        self._known: dict[UpstreamAgent, tuple[float, AgentUnavailable | None]] = {}

    async def check(self, agent: UpstreamAgent | Command) -> None:
        """Raise AgentUnavailable, with the reason, unless a run could be started now."""
        if isinstance(agent, Command):
            commands.check(agent)
            return
        at, reason = self._known.get(agent, (float("-inf"), None))
        if time.monotonic() - at >= REMEMBERED:
            reason = await _reason_against(agent)
            self._known[agent] = time.monotonic(), reason
        if reason is not None:
            raise AgentUnavailable(str(reason), reason.retry_after)


async def _reason_against(agent: UpstreamAgent) -> AgentUnavailable | None:
    try:
        server = AgentServer(agent, "-")
    except AgentUnavailable as error:
        return error
    try:
        await server.check()
    except AgentUnavailable as error:
        return error
    finally:
        await server.aclose()
    return None
