"""A blocking HTTP client for tests that send thousands of requests. It takes a fifth of the CPU time of httpx's."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from io import BufferedReader
from typing import Any
from urllib.parse import urlsplit

import httpx


class PlainClient:
    """Sends requests on one connection, and opens another one if the server has closed it.

    URLs are paths below `base_url`, percent-encoded; they are sent as they are. `headers` are sent with each request.
    """

    def __init__(self, base_url: str, headers: Mapping[str, str] | None = None, timeout: float = 60) -> None:
        self._host, self._timeout = urlsplit(base_url).netloc, timeout
        self._headers = {"Host": self._host, "Accept": "*/*", **(headers or {})}
        self._socket: socket.socket | None = None
        self._input: BufferedReader | None = None

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | str | None = None,
    ) -> httpx.Response:
        """Send a request and return its response. Of a stream of events, only the headers are read."""
        if params:
            url = f"{url}?{httpx.QueryParams(params)}"
        body = content.encode() if isinstance(content, str) else content
        lines = {**self._headers, **(headers or {})}
        if body is not None or method in ("POST", "PUT", "PATCH"):
            body = body or b""
            lines["Content-Length"] = str(len(body))
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        message = f"{method} {url} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + (body or b"")
        is_new = self._socket is None
        try:
            return self._send(method, message)
        except ConnectionError:
            self.close()
            if is_new:
                raise
            return self._send(method, message)

    def _send(self, method: str, message: bytes) -> httpx.Response:
        if self._socket is None:
            host, _, port = self._host.partition(":")
            self._socket = socket.create_connection((host, int(port)), self._timeout)
            self._input = self._socket.makefile("rb")
        assert self._input is not None
        self._socket.sendall(message)
        first = self._input.readline()
        if not first:
            raise ConnectionError("the server closed the connection")
        status = int(first.split()[1])
        headers = []
        while line := self._input.readline().strip(b"\r\n"):
            name, _, value = line.partition(b":")
            headers.append((name.lower(), value.strip()))
        named = dict(headers)
        if named.get(b"content-type", b"").startswith(b"text/event-stream"):
            self.close()
            return httpx.Response(status, headers=headers)
        has_body = method != "HEAD" and status not in (204, 304)
        content = _body(self._input, named) if has_body else b""
        if named.get(b"connection", b"").lower() == b"close":
            self.close()
        return httpx.Response(status, headers=headers, content=content)

    def close(self) -> None:
        """Close the connection. The next request opens another one."""
        if self._socket is not None and self._input is not None:
            self._input.close()
            self._socket.close()
        self._socket = self._input = None

    def __enter__(self) -> PlainClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _body(stream: BufferedReader, headers: Mapping[bytes, bytes]) -> bytes:
    if headers.get(b"transfer-encoding", b"").lower() != b"chunked":
        return stream.read(int(headers[b"content-length"])) if b"content-length" in headers else stream.read()
    chunks = []
    while size := int(stream.readline(), 16):
        chunks.append(stream.read(size))
        stream.readline()
    while stream.readline().strip():
        pass  # a trailer
    return b"".join(chunks)
