"""The client of an agent server: starts and cancels a run with POST requests, and follows its SSE stream."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import quote

import httpx

from signalbox.webapp.agents.configuration import UpstreamAgent
from signalbox.webapp.agents.errors import AgentUnavailable
from signalbox.webapp.relay.upstream import (
    Upstream,
    UpstreamError,
    UpstreamUnavailable,
    checked_url,
    error_for,
    unavailable_error,
)

TIMEOUT = 5.0
"""Seconds to wait for a response; the stream has a limit of its own."""


class AgentServer(Upstream):
    """One run on a project's agent server, which answers these routes below the configured URL:

    POST /runs `{"run_id": …}` (idempotent), GET /runs/ID/stream, POST /runs/ID/cancel, GET /health.
    """

    def __init__(self, agent: UpstreamAgent, run_id: str) -> None:
        self.base = checked_url(agent.url)
        self.run_id = run_id
        stream = self._at(f"/runs/{quote(run_id, safe=':')}/stream")
        super().__init__(str(stream), token_of(agent))

    async def prepare(self) -> None:
        """Start the run."""
        await self._ask("POST", "/runs", json={"run_id": self.run_id})

    async def cancel(self) -> bool:
        """Ask the agent to stop the run."""
        await self._ask("POST", f"/runs/{quote(self.run_id, safe=':')}/cancel")
        return True

    async def check(self) -> None:
        """Raise AgentUnavailable unless `GET /health` succeeds."""
        try:
            await self._ask("GET", "/health")
        except UpstreamError as error:
            raise AgentUnavailable(str(error), getattr(error, "retry_after", 0.0) or 5.0) from error

    def _at(self, path: str) -> httpx.URL:
        return self.base.copy_with(path=self.base.path.rstrip("/") + path)

    async def _ask(self, method: str, path: str, **options: Any) -> None:
        try:
            response = await self.client.request(method, self._at(path), timeout=TIMEOUT, **options)
        except httpx.TimeoutException as error:
            raise UpstreamUnavailable(f"{self.base.host} did not answer within {TIMEOUT:g} s") from error
        except httpx.RequestError as error:
            raise unavailable_error(
                str(self.base.copy_with(username=None, password=None, query=None)), error
            ) from error
        if not response.is_success:
            raise error_for(response)


def token_of(agent: UpstreamAgent) -> str | None:
    """Return the agent server's token from the environment. Raises AgentUnavailable if the variable is not set."""
    if agent.token_env is None:
        return None
    token = os.environ.get(agent.token_env)
    if not token:
        raise AgentUnavailable(f"{agent.token_env}, which holds the agent's token, is not set on the server", 60.0)
    return token
