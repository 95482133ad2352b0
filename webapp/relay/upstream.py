"""An upstream: how it is asked for its stream, and what its answers mean.

UpstreamError
├── Away      it does not answer, or says that it is busy       a retry may help
└── Refused   it answers, and will say the same again           no retry
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

import httpx

from signalbox.store.errors import InvalidEvent, StoreUnavailable
from signalbox.store.remote import LOOPBACK
from signalbox.store.remote.errors import error_of
from signalbox.store.remote.sse import Message, SseParser
from signalbox.webapp.relay.mapping import another_history

SILENCE = 90.0
"""Seconds without a byte after which a stream counts as dead."""

LONGEST_MESSAGE = 4 * 1024 * 1024
LONGEST_RETRY = 600.0

WHY = {
    204: "it has nothing (more) to tell",
    401: "it wants a token, or another one",
    403: "it does not allow this",
    404: "there is no such stream",
    410: "the stream is gone",
}


class UpstreamError(Exception):
    """An upstream that cannot be read now."""


class Away(UpstreamError):
    """It does not answer; `retry_after` are the seconds that it asks to wait, 0 if it does not say."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Refused(UpstreamError):
    """It answers, but not with a stream that can be relayed. `certain` when that cannot be for a while only.

    `status` is that of its answer, if that was the reason.
    """

    def __init__(self, message: str, *, certain: bool = False, status: int | None = None) -> None:
        super().__init__(message)
        self.certain, self.status = certain, status


class Upstream:
    """The SSE stream at `url`. `retry` are the seconds that it asks clients to wait, None until it does."""

    def __init__(self, url: str, token: str | None = None) -> None:
        """Raises InvalidEvent for what is no URL."""
        self.url = checked_url(url)
        self.retry: float | None = None
        self.client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=httpx.Timeout(10, read=SILENCE),
            follow_redirects=True,
            # A proxy of the environment cannot reach this machine's own loopback.
            trust_env=self.url.host not in LOOPBACK,
        )

    @property
    def name(self) -> str:
        """The URL without what may be secret in it."""
        return str(self.url.copy_with(username=None, password=None, query=None, fragment=None))

    async def prepare(self) -> None:
        """Whatever must be done once, before the first connection. Raises UpstreamError."""

    async def cancel(self) -> bool:
        """Ask the upstream to stop; whether it can be asked at all. Raises UpstreamError."""
        return False

    async def messages(self, last_id: str) -> AsyncGenerator[Message | None]:
        """None once when it has answered with a stream, then what it says after `last_id`, until it ends.

        Raises UpstreamError; a connection that breaks is Away.
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
                        if another_history(message):
                            raise Refused(f"the log of {self.name} is another one now, or gone", certain=True)
                        yield message
                    if parser.retry_ms is not None:
                        self.retry = min(parser.retry_ms / 1000, LONGEST_RETRY)
                    if unfinished > LONGEST_MESSAGE:
                        raise Refused(f"{self.name} sends a message over {LONGEST_MESSAGE >> 20} MiB", certain=True)
        except httpx.RequestError as error:
            raise away(self.name, error) from error

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self.client.aclose()


def checked_url(url: str) -> httpx.URL:
    """`url`, or InvalidEvent if it is none that can be asked."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError):
        parsed = httpx.URL()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InvalidEvent(f"cannot use {url!r}: an upstream's URL looks like http://127.0.0.1:9100/stream", "url")
    return parsed


async def check_stream(response: httpx.Response) -> None:
    """Raise what an answer means that is no stream of events."""
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if response.status_code == 200 and kind == "text/event-stream":
        return
    if not response.is_success:
        await response.aread()
    raise judged(response)


def judged(response: httpx.Response) -> UpstreamError:
    """What an answer means that cannot be used. The body of an error answer must have been read."""
    status, name = response.status_code, response.url.copy_with(username=None, password=None, query=None)
    if response.is_success and status != 204:
        kind = response.headers.get("Content-Type") or "nothing that it names"
        return Refused(f"{name} answers with {kind[:100]}, and not with text/event-stream: is it the right address?")
    told = f"{name} answered {status} {response.reason_phrase}"
    if status in WHY:
        # 204 is how a server tells an SSE client to come no more (WHATWG HTML, section 9.2).
        return Refused(f"{told}: {WHY[status]}", certain=status == 204, status=status)
    error = error_of(response)
    if isinstance(error, StoreUnavailable):
        return Away(told, error.retry_after if "Retry-After" in response.headers else 0.0)
    return Refused(told if str(error).startswith("the server answered") else f"{told}: {str(error)[:300]}")


def away(name: str, error: httpx.RequestError) -> Away:
    """No answer at all, or half of one."""
    return Away(f"{name} does not answer: {str(error) or type(error).__name__}")
