"""One request of `signalbox hook`, with the little of HTTP/1.1 that it needs: see `agent_hook.py`."""

from __future__ import annotations

import socket
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DEFAULT_SERVER = "http://127.0.0.1:8000"
SILENCE_S = 5.0
"""Seconds without a byte after which a server that asks a person counts as gone. It sends one each second."""

MAX_ANSWER = 4 * 1024 * 1024
OVER_QUOTA = 429
_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")


class HookResponse:
    """A response as it arrives: `status`, and the pieces of its body."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._buffer = connection, b""
        head = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        self.status = int(head[0].split(" ")[1])
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        self._chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        self._length = int(headers["content-length"]) if "content-length" in headers else None

    def pieces(self) -> Iterator[bytes]:
        """Yield the body. Raises OSError or ValueError if it ends too early."""
        if self._chunked:
            while size := int(self._until(b"\r\n").split(b";")[0], 16):
                yield self._exactly(size)
                self._until(b"\r\n")
        elif self._length is not None:
            yield self._exactly(self._length)
        else:
            while piece := self._buffer or self._connection.recv(65536):
                self._buffer = b""
                yield piece

    def _until(self, end: bytes) -> bytes:
        while end not in self._buffer:
            self._receive()
        line, _, self._buffer = self._buffer.partition(end)
        return line

    def _exactly(self, size: int) -> bytes:
        if size > MAX_ANSWER:
            raise ValueError("the answer is too long")
        while len(self._buffer) < size:
            self._receive()
        piece, self._buffer = self._buffer[:size], self._buffer[size:]
        return piece

    def _receive(self) -> None:
        if len(self._buffer) > MAX_ANSWER or not (more := self._connection.recv(65536)):
            raise ValueError("the response ended early or is too long")
        self._buffer += more


class HookExchange(threading.Thread):
    """Sends the call and reads the answer in a thread: resolving a name cannot be interrupted.

    `began` is set when the response begins, `ended` when it is complete or failed. Then `answer` is the JSON, or
    `refusal` the reason why the server refused the call. Both are empty if the server is away or over a limit.
    """

    def __init__(self, server: str, agent: str, token: str, query: str, body: bytes) -> None:
        super().__init__(daemon=True)
        self.began, self.ended = threading.Event(), threading.Event()
        self.answer, self.refusal = b"", b""
        self._server, self._agent, self._token, self._query, self._body = server, agent, token, query, body

    def run(self) -> None:
        try:
            self._exchange()
        except (OSError, ValueError, IndexError):
            self.answer = b""
        finally:
            self.began.set()
            self.ended.set()

    def _exchange(self) -> None:
        scheme, host, port, prefix = split_url(self._server)
        # A name as bytes spares the import of the codec for international names.
        name: str | bytes = host.encode() if host.isascii() else host
        with socket.create_connection((name, port), timeout=SILENCE_S) as plain:  # type: ignore[arg-type]
            connection = plain
            if scheme == "https":
                import ssl

                connection = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
            connection.sendall(self._head(host, port, prefix) + self._body)
            response = HookResponse(connection)
            self.began.set()
            received = b""
            for piece in response.pieces():
                received = (received + piece).lstrip()
            if 400 <= response.status < 500 and response.status != OVER_QUOTA:
                self.refusal = received
            elif response.status == 200:
                self.answer = received.strip()

    def _head(self, host: str, port: int, prefix: str) -> bytes:
        named = f"[{host}]" if ":" in host else host
        lines = [
            f"POST {_quoted(prefix)}/api/hooks/{self._agent}?{self._query} HTTP/1.1",
            f"Host: {named}:{port}",
            "Content-Type: application/json",
            f"Content-Length: {len(self._body)}",
            "Connection: close",
        ]
        if self._token:
            lines.append(f"Authorization: Bearer {self._token}")
        return "\r\n".join([*lines, "", ""]).encode()


def split_url(url: str) -> tuple[str, str, int, str]:
    """Return the scheme, host, port and path of an address. Raises ValueError."""
    scheme, _, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    host, colon, port = place.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = place, {"http": "80", "https": "443"}.get(scheme, "")
    if scheme not in ("http", "https") or not host or "@" in place or not is_port(port):
        raise ValueError(f"--server must be an address such as {DEFAULT_SERVER}, not {url!r}")
    return scheme, host.strip("[]"), int(port), (slash + path).rstrip("/")


def is_port(text: str) -> bool:
    """Return whether a text is the number of a port."""
    return text.isascii() and text.isdigit() and len(text) <= 5 and int(text) < 65536


def query_of(facts: Sequence[tuple[str, str]]) -> str:
    """Return facts about a call as the query of its request."""
    return "&".join(f"{name}={_quoted(value)}" for name, value in facts if value)


def _quoted(text: str) -> str:
    return "".join(chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in text.encode("utf-8", "replace"))
