"""Health checks of agents, cached for a second because several callers ask at once."""

from __future__ import annotations

import time

from signalbox.webapp.agents import commands
from signalbox.webapp.agents.agent_server import AgentServer
from signalbox.webapp.agents.configuration import Command, UpstreamAgent
from signalbox.webapp.agents.errors import AgentUnavailable

CACHE_SECONDS = 1.0
"""How long the result of a health check is reused."""


class AgentHealth:
    """Cached health of agent servers, by URL and token: two projects may use one server with different tokens."""

    def __init__(self) -> None:
        self._known: dict[UpstreamAgent, tuple[float, AgentUnavailable | None]] = {}

    async def check(self, agent: UpstreamAgent | Command) -> None:
        """Raise AgentUnavailable, with the reason, unless a run could be started now."""
        if isinstance(agent, Command):
            commands.check(agent)
            return
        at, reason = self._known.get(agent, (float("-inf"), None))
        if time.monotonic() - at >= CACHE_SECONDS:
            reason = await _failure_of(agent)
            self._known[agent] = time.monotonic(), reason
        if reason is not None:
            raise AgentUnavailable(str(reason), reason.retry_after)


async def _failure_of(agent: UpstreamAgent) -> AgentUnavailable | None:
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
