"""The HTTP client of a relay: opens the upstream's SSE stream and classifies its error responses.

UpstreamError
├── UpstreamUnavailable   no response, or a response that says "busy"       a retry may help
└── UpstreamRefused       a response that will be the same after a retry    no retry
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

import httpx

from signalbox.store.errors import InvalidEvent, StoreUnavailable
from signalbox.store.remote.connection import LOOPBACK
from signalbox.store.remote.errors import error_of
from signalbox.store.remote.sse import Message, SseParser
from signalbox.webapp.relay.mapping import says_log_was_replaced

READ_TIMEOUT = 90.0
"""Seconds without a byte after which a stream counts as dead."""

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024
"""Bytes that are read of the body of an error."""

MAX_RETRY = 600.0
"""The longest `retry:` of an upstream that is honoured, in seconds."""

REASONS = {
    204: "the stream has ended",
    401: "a token is missing or wrong",
    403: "the token does not allow this",
    404: "there is no such stream",
    410: "the stream is gone",
}


class UpstreamError(Exception):
    """The upstream's stream cannot be read."""


class UpstreamUnavailable(UpstreamError):
    """The upstream does not respond. `retry_after` is how many seconds it asks to wait, 0 if it does not say."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UpstreamRefused(UpstreamError):
    """The upstream responds, but not with a stream that can be relayed.

    `certain` means that the condition cannot be temporary. `status` is the HTTP status if it was the reason.
    """

    def __init__(self, message: str, *, certain: bool = False, status: int | None = None) -> None:
        super().__init__(message)
        self.certain, self.status = certain, status


class Upstream:
    """The SSE stream at `url`. `retry` is the stream's `retry:` in seconds, None if it has not sent one."""

    def __init__(self, url: str, token: str | None = None) -> None:
        """Raise InvalidEvent if `url` is not an HTTP URL."""
        self.url = checked_url(url)
        self.retry: float | None = None
        self.client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=httpx.Timeout(10, read=READ_TIMEOUT),
            follow_redirects=True,
            # A proxy from the environment cannot reach this machine's loopback interface.
            trust_env=self.url.host not in LOOPBACK,
        )

    @property
    def name(self) -> str:
        """The URL without the parts that may hold secrets: user, password, query and fragment."""
        return str(self.url.copy_with(username=None, password=None, query=None, fragment=None))

    async def prepare(self) -> None:
        """Do what must be done once before the first connection. Raises UpstreamError."""

    async def cancel(self) -> bool:
        """Ask the upstream to stop. Returns False if this kind of upstream cannot be asked. Raises UpstreamError."""
        return False

    async def messages(self, last_id: str) -> AsyncGenerator[Message | None]:
        """Yield None once the stream is open, then each message after `last_id`, until the stream ends.

        Raises UpstreamError; a broken connection raises UpstreamUnavailable.
        """
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity", "Cache-Control": "no-cache"}
        fields: list[tuple[str, str | bytes]] = list(headers.items())
        if last_id:
            fields.append(("Last-Event-ID", last_id.encode()))
        parser = SseParser()
        try:
            async with self.client.stream("GET", self.url, headers=fields) as response:  # type: ignore[arg-type]
                await check_stream(response)
                yield None
                unfinished = 0
                async for chunk in response.aiter_bytes():
                    unfinished += len(chunk)
                    for message in parser.feed(chunk):
                        unfinished = 0
                        if says_log_was_replaced(message):
                            raise UpstreamRefused(f"the log of {self.name} was deleted or replaced", certain=True)
                        yield message
                    if parser.retry_ms is not None:
                        self.retry = min(parser.retry_ms / 1000, MAX_RETRY)
                    if unfinished > MAX_MESSAGE_BYTES:
                        raise UpstreamRefused(
                            f"{self.name} sends a message over {MAX_MESSAGE_BYTES >> 20} MiB", certain=True
                        )
        except httpx.RequestError as error:
            raise unavailable_error(self.name, error) from error

    async def aclose(self) -> None:
        """Close all connections."""
        await self.client.aclose()


def checked_url(url: str) -> httpx.URL:
    """Return `url` parsed. Raises InvalidEvent unless it is an absolute http or https URL."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError):
        parsed = httpx.URL()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InvalidEvent(f"cannot use {url!r}: an upstream's URL looks like http://127.0.0.1:9100/stream", "url")
    return parsed


async def check_stream(response: httpx.Response) -> None:
    """Raise the UpstreamError for a response that is not an event stream."""
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if response.status_code == 200 and kind == "text/event-stream":
        return
    raise error_for(response if response.is_success else await _with_start_of_body(response))


async def _with_start_of_body(response: httpx.Response) -> httpx.Response:
    """Return the response with at most MAX_ERROR_BYTES of its body, which may have no end."""
    body = b""
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) >= MAX_ERROR_BYTES:
            break
    start, headers = body[:MAX_ERROR_BYTES], response.headers
    return httpx.Response(response.status_code, headers=headers, content=start, request=response.request)


def error_for(response: httpx.Response) -> UpstreamError:
    """Return the UpstreamError for a response that cannot be used. The body of an error must have been read."""
    status, name = response.status_code, response.url.copy_with(username=None, password=None, query=None)
    if response.is_success and status != 204:
        kind = response.headers.get("Content-Type") or "no content type"
        return UpstreamRefused(f"{name} answers with {kind[:100]} instead of text/event-stream: is the address right?")
    problem = f"{name} answered {status} {response.reason_phrase}"
    if status in REASONS:
        # A server sends 204 to tell an SSE client not to reconnect (WHATWG HTML, section 9.2).
        return UpstreamRefused(f"{problem}: {REASONS[status]}", certain=status == 204, status=status)
    error = error_of(response)
    if isinstance(error, StoreUnavailable):
        return UpstreamUnavailable(problem, error.retry_after if "Retry-After" in response.headers else 0.0)
    return UpstreamRefused(
        problem if str(error).startswith("the server answered") else f"{problem}: {str(error)[:300]}"
    )


def unavailable_error(name: str, error: httpx.RequestError) -> UpstreamUnavailable:
    """Return the error for a request that got no response, or only a part of one."""
    return UpstreamUnavailable(f"{name} does not answer: {str(error) or type(error).__name__}")
