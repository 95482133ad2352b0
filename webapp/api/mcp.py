"""`/mcp`: runs for coding agents, over the Model Context Protocol. Its messages are those of the protocol."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

from quart import Blueprint, Quart, Response, current_app, request

from signalbox.webapp.auth.access import needs
from signalbox.webapp.http.errors import error_response
from signalbox.webapp.http.json_density import check_density
from signalbox.webapp.live.stream import AsgiResponse

if TYPE_CHECKING:
    from signalbox.webapp.mcp.endpoint import McpEndpoint

blueprint = Blueprint("mcp", __name__)

NEEDS_EXTRA = "this server was installed without MCP: pip install 'signalbox-console[mcp]'"


@blueprint.post("/mcp")
@needs("read")
async def serve() -> Response:
    """Pass the request to the MCP server. It sends its own requests to this app, with the token of the caller."""
    if find_spec("mcp") is None:
        return error_response(501, NEEDS_EXTRA, code="not_installed")
    mounted: MountedMcp = current_app.extensions["mcp"]
    body = cast(bytes, await request.get_data())
    check_density(body)
    return AsgiResponse(await mounted.endpoint(), body)


class MountedMcp:
    """The MCP server of an app. It is imported for its first request, because that takes most of a second."""

    def __init__(self, app: Quart) -> None:
        self._app = app
        self._endpoint: McpEndpoint | None = None
        self._lock = asyncio.Lock()

    async def endpoint(self) -> Any:
        """Return the ASGI callable that serves the requests."""
        async with self._lock:
            if self._endpoint is None:
                make = await asyncio.to_thread(_importing)
                self._endpoint = make(self._app)
        return self._endpoint

    async def stop(self) -> None:
        """End all requests."""
        if self._endpoint is not None:
            await self._endpoint.stop()


def _importing() -> Any:
    from signalbox.store.redaction.rules import Redaction
    from signalbox.webapp.mcp import consoles
    from signalbox.webapp.mcp.endpoint import McpEndpoint

    def make(app: Quart) -> McpEndpoint:
        settings = app.extensions["settings"]
        redaction = Redaction(settings.redact)
        # The app itself checks the host name of every request.
        return McpEndpoint(consoles.of_app(app, redaction, root_path=settings.root_path), check_host=False)

    return make
