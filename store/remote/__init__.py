"""A log behind a Signalbox server, for runs on other machines: the same calls as a store, over HTTP."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import httpx
import msgspec

from signalbox.store.errors import InvalidEvent, StoreClosed, StoreError, StoreUnavailable
from signalbox.store.events import Event, NewEvent, check_event, check_task_id, new_id
from signalbox.store.log import keyed
from signalbox.store.remote.errors import error_of, unreachable
from signalbox.store.remote.tailing import PAGE, Gap, Notice, Position
from signalbox.store.state import Task, Unfinished

PATIENCE = 30.0
"""Seconds a call keeps trying while the server is busy or gone, before it says StoreUnavailable."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

_TOKEN = re.compile(r"[!-~]{1,4096}")

T = TypeVar("T")


class RemoteLog:
    """The log of the Signalbox server at `url`, as the holder of `token` sees it. Safe to use from any thread.

    A call that meets a busy or vanished server tries again for `patience` seconds. Events without a key get one, so
    that a second try of a call whose answer was lost writes nothing twice. The errors are those of `store.errors`;
    NotAllowed ends every call and every tail at once.
    """

    def __init__(self, url: str, token: str | None = None, *, patience: float = PATIENCE) -> None:
        try:
            host = httpx.URL(url).host if url.startswith(("http://", "https://")) else ""
        except httpx.InvalidURL:
            host = ""
        if not host:
            raise InvalidEvent(f"cannot use {url!r}: a server's URL looks like http://127.0.0.1:8000", "url")
        if token is not None and not _TOKEN.fullmatch(token):
            raise InvalidEvent("the token must be one word of printable ASCII characters", "token")
        self.url = url.rstrip("/")
        self.patience = patience
        self._options: dict[str, Any] = {
            "base_url": self.url,
            "headers": {"Authorization": f"Bearer {token}"} if token else {},
            "timeout": httpx.Timeout(10, read=30),
            # A proxy of the environment cannot reach this machine's own loopback.
            "trust_env": host not in LOOPBACK,
        }
        self._client = httpx.Client(**self._options)
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="signalbox-remote")

    def create_task(
        self,
        task_id: str | None = None,
        *,
        title: str | None = None,
        kind: str | None = None,
        metadata: dict[str, Any] | None = None,
        project_id: str | None = None,
    ) -> tuple[Task, bool]:
        """Create a task; the bool says whether it is new. A task that exists comes back as it is.

        Without `project_id` it belongs to the project of the token, else to the default one.
        """
        # The id is chosen here, so that a second try finds the task of the first.
        body = {"task_id": task_id or new_id(), "title": title, "kind": kind, "metadata": metadata}
        body |= {"project_id": project_id} if project_id is not None else {}
        response = self._request("POST", "/api/tasks", json=body)
        return _task(response), response.status_code == 201

    def append(self, task_id: str, events: NewEvent | Sequence[NewEvent]) -> list[Event]:
        """Append all of `events` to a task (made if new) or none. Returns them as stored, in order."""
        given = keyed([events] if isinstance(events, NewEvent) else events)
        for event in given:
            check_event(event)
        if not given:
            return []
        body = {"content": msgspec.json.encode(given), "headers": {"Content-Type": "application/json"}}
        response = self._request("POST", f"/api/tasks/{check_task_id(task_id)}/events", task_id, **body)
        return _decoded(response, list[Event])

    def events(self, task_id: str, since_seq: int = 0, limit: int = 100) -> list[Event]:
        """A page of the log: at most `limit` (1 to 1000) events after `since_seq`."""
        params = {"since_seq": since_seq, "limit": limit}
        response = self._request("GET", f"/api/tasks/{check_task_id(task_id)}/events", task_id, params=params)
        return _decoded(response, _Page).events

    def task(self, task_id: str) -> Task:
        """How a task stands; `main_span_id` is empty, as the server does not tell it."""
        return _task(self._request("GET", f"/api/tasks/{check_task_id(task_id)}", task_id))

    def tail(self, task_id: str, *, since_seq: int = 0, notice: Notice | None = None) -> Generator[Event]:
        """A task's events after `since_seq`, then those that come: each once, in order, over every cut.

        `notice` is called with a line of text when the connection is lost and when it is back.
        Raises UnknownTask, Conflict when the server's history was replaced, and StoreError when it refuses.
        """
        position, gap = Position(since_seq, notice), False
        while True:
            asked = None
            try:
                if gap:
                    page = self.events(task_id, position.cursor, PAGE)
                    yield from position.advance(page)
                    gap = len(page) == PAGE
                    continue
                with self._client.stream("GET", _stream_of(task_id), **position.stream_request()) as response:
                    if not response.is_success:
                        response.read()
                        raise error_of(response, task_id)
                    for chunk in response.iter_raw():
                        yield from position.feed(chunk)
            except Gap:
                gap = True
                continue
            except StoreUnavailable as error:
                asked = error.retry_after
            except httpx.RequestError:
                pass
            time.sleep(position.delay(asked))

    async def acreate_task(
        self,
        task_id: str | None = None,
        *,
        title: str | None = None,
        kind: str | None = None,
        metadata: dict[str, Any] | None = None,
        project_id: str | None = None,
    ) -> tuple[Task, bool]:
        """`create_task` for asyncio."""
        named: dict[str, Any] = {"title": title, "kind": kind, "metadata": metadata, "project_id": project_id}
        return await self._in_thread(lambda: self.create_task(task_id, **named))

    async def aappend(self, task_id: str, events: NewEvent | Sequence[NewEvent]) -> list[Event]:
        """`append` for asyncio."""
        return await self._in_thread(lambda: self.append(task_id, events))

    async def alink_retry(self, task_id: str, retry: str) -> None:
        """Tell a task that it is run again as the task `retry`. Raises NotAllowed without the right to stop runs."""
        path = f"/api/tasks/{check_task_id(task_id)}/retries"
        await self._in_thread(lambda: self._request("POST", path, task_id, json={"retry": retry}))

    async def aevents(self, task_id: str, since_seq: int = 0, limit: int = 100) -> list[Event]:
        """`events` for asyncio."""
        return await self._in_thread(lambda: self.events(task_id, since_seq, limit))

    async def atask(self, task_id: str) -> Task:
        """`task` for asyncio."""
        return await self._in_thread(lambda: self.task(task_id))

    async def atail(self, task_id: str, *, since_seq: int = 0, notice: Notice | None = None) -> AsyncGenerator[Event]:
        """`tail` for asyncio: `async for event in log.atail("nightly", since_seq=120):`"""
        position, gap = Position(since_seq, notice), False
        async with httpx.AsyncClient(**self._options) as client:
            while True:
                asked = None
                try:
                    if gap:
                        page = await self.aevents(task_id, position.cursor, PAGE)
                        for event in position.advance(page):
                            yield event
                        gap = len(page) == PAGE
                        continue
                    async with client.stream("GET", _stream_of(task_id), **position.stream_request()) as response:
                        if not response.is_success:
                            await response.aread()
                            raise error_of(response, task_id)
                        async for chunk in response.aiter_raw():
                            for event in position.feed(chunk):
                                yield event
                except Gap:
                    gap = True
                    continue
                except StoreUnavailable as error:
                    asked = error.retry_after
                except httpx.RequestError:
                    pass
                await asyncio.sleep(position.delay(asked))

    async def aset_unfinished(self, task_id: str, lines: Sequence[Unfinished]) -> None:
        """Replace the unfinished lines of a task that is at work."""
        path = f"/api/tasks/{check_task_id(task_id)}/unfinished"
        body = {"content": msgspec.json.encode(lines), "headers": {"Content-Type": "application/json"}}
        await self._in_thread(lambda: self._request("PUT", path, task_id, **body))

    async def aunfinished(self, task_id: str) -> list[Unfinished]:
        """The unfinished lines of a task."""
        path = f"/api/tasks/{check_task_id(task_id)}"
        response = await self._in_thread(lambda: self._request("GET", path, task_id))
        return _decoded(response, _Shown).unfinished

    def close(self) -> None:
        """Let go of the connections; calls that still try to reach the server end with StoreClosed."""
        self._client.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def aclose(self) -> None:
        """`close` for asyncio."""
        self.close()

    def _request(self, method: str, path: str, task_id: str | None = None, **options: Any) -> httpx.Response:
        deadline, delay = time.monotonic() + self.patience, 0.1
        while True:
            if self._client.is_closed:
                raise StoreClosed("the connection to the server was closed")
            try:
                response = self._client.request(method, path, **options)
                if response.is_success:
                    return response
                error = error_of(response, task_id)
            except httpx.RequestError as cause:
                error = unreachable(self.url, cause)
            wait = max(delay, error.retry_after) if isinstance(error, StoreUnavailable) else 0.0
            if not error.retryable or time.monotonic() + wait > deadline:
                raise error
            time.sleep(wait)
            delay = min(delay * 2, 5.0)

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)


class _Page(msgspec.Struct):
    events: list[Event]


class _Shown(msgspec.Struct):
    unfinished: list[Unfinished] = []


def _stream_of(task_id: str) -> str:
    return f"/sse/tasks/{check_task_id(task_id)}/events"


def _task(response: httpx.Response) -> Task:
    fields = _decoded(response, dict[str, Any])
    try:
        return msgspec.convert({"main_span_id": "", **fields}, Task)
    except msgspec.ValidationError as error:
        raise _stranger(response) from error


def _decoded(response: httpx.Response, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(response.content, type=kind)
    except msgspec.DecodeError as error:
        raise _stranger(response) from error


def _stranger(response: httpx.Response) -> StoreError:
    return StoreError(f"what answers at {response.url.copy_with(path='/', query=None)} is no Signalbox server")
