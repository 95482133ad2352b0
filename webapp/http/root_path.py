"""The path prefix below which the server is served, such as `/signalbox`. A proxy must not strip it.

In ASGI, `root_path` is where an app is mounted, and `path` includes it (HTTP connection scope). Quart removes it
before routing, so routes and `request.path` do not contain it. Every address in a response contains it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote, urlencode

from quart import Quart, request

from signalbox.webapp.http.well_formed import refuse

ASGISend = Callable[[Any], Awaitable[None]]
App = Callable[[Any, Any, ASGISend], Awaitable[None]]


def at_root(path: str) -> str:
    """Return the address of a path of this server, for a page, a redirect or a header."""
    return f"{request.root_path}{path}"


def here() -> str:
    """Return the address of the path of this request, without its parameters."""
    return at_root(quote(request.path))


def next_page(**parameters: object) -> str:
    """Return the address of this request with other parameters, for the next page of a response."""
    return f"{here()}?{urlencode(parameters)}"


def install(app: Quart, root_path: str) -> None:
    """Serve `app` only below `root_path`; other paths are answered 404. An empty prefix changes nothing."""
    if root_path:
        app.asgi_app = Prefixed(app.asgi_app, root_path)  # type: ignore[method-assign]


class Prefixed:
    """An ASGI app below a prefix."""

    def __init__(self, app: App, root_path: str) -> None:
        self._app = app
        self._root = root_path

    async def __call__(self, scope: Any, receive: Any, send: ASGISend) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif scope["path"].startswith(f"{self._root}/"):
            await self._app({**scope, "root_path": self._root}, receive, send)
        elif scope["type"] == "http" and scope["path"] == self._root:
            query = b"?" + scope["query_string"] if scope["query_string"] else b""
            await refuse(scope, receive, send, "", 308, [(b"location", f"{self._root}/".encode() + query)])
        else:
            await refuse(scope, receive, send, f"this server answers only below {self._root}/", 404)
