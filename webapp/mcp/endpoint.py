"""The MCP server over streamable HTTP, as an ASGI callable. Each request stands alone, so any process can answer it."""

from __future__ import annotations

import asyncio
from typing import Any

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings

from signalbox.webapp.mcp.protocol import MakeConsole, mcp_server


class McpEndpoint:
    """Serves requests from the first one on until `stop`. With `check_host` it accepts only loopback host names."""

    def __init__(self, make_console: MakeConsole, *, check_host: bool) -> None:
        local = ["127.0.0.1:*", "localhost:*", "[::1]:*"]
        security = TransportSecuritySettings(
            enable_dns_rebinding_protection=check_host,
            allowed_hosts=local,
            allowed_origins=[f"http://{host}" for host in local],
        )
        server = mcp_server(make_console, one_connection=False)
        self._manager = StreamableHTTPSessionManager(server, stateless=True, security_settings=security)
        self._ready, self._ending = asyncio.Event(), asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._running is None:
            self._running = asyncio.create_task(self._run(), name="signalbox-mcp")
        await self._ready.wait()
        await self._manager.handle_request(scope, receive, send)

    async def stop(self) -> None:
        """End all requests."""
        self._ending.set()
        if self._running is not None:
            await self._running

    async def _run(self) -> None:
        async with self._manager.run():
            self._ready.set()
            await self._ending.wait()
