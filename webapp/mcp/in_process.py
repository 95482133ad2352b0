"""An HTTP transport to an ASGI app in this process, so that callers of the API need no socket."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import httpx


class InProcess(httpx.AsyncBaseTransport):
    """Sends each request to `app`. `client` is the network address of the caller, for audits."""

    def __init__(self, app: Any, client: tuple[str, int] | None = None) -> None:
        self._app, self._client = app, client

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": request.url.scheme,
            "path": request.url.path,
            "raw_path": request.url.raw_path.partition(b"?")[0],
            "query_string": request.url.query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "client": self._client,
            "server": (request.url.host, request.url.port or 80),
        }
        exchange = _Exchange(body)
        # In a context of its own, because the caller may itself be a request of the app.
        task = asyncio.create_task(
            self._app(scope, exchange.receive, exchange.send),
            context=contextvars.Context(),
            name="signalbox-in-process",
        )
        try:
            await asyncio.wait({task})
        finally:
            # If the caller was cancelled, the app sees a client that disconnected.
            exchange.ended.set()
            if not task.done():
                task.cancel()
        await task
        return httpx.Response(exchange.status, headers=exchange.headers, content=b"".join(exchange.body))


class _Exchange:
    """One request and its response. `receive` and `send` are the callables of ASGI."""

    def __init__(self, body: bytes) -> None:
        self._request: bytes | None = body
        self.status = 500
        self.headers: list[tuple[bytes, bytes]] = []
        self.body: list[bytes] = []
        self.ended = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        if self._request is not None:
            body, self._request = self._request, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self.ended.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
        elif message["type"] == "http.response.body":
            self.body.append(message.get("body", b""))
            if not message.get("more_body", False):
                self.ended.set()
