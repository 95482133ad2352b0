"""The log of a Signalbox server, for runs on other machines. It has the same calls as a store, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Sequence
from typing import Any, BinaryIO, TypeVar

from signalbox.store.artifacts import MAX_ARTIFACT_BYTES
from signalbox.store.blocking import Blocking, blocking
from signalbox.store.events import Event, NewEvent, check_event, new_id
from signalbox.store.log import Remote, with_keys
from signalbox.store.remote.connection import Connection
from signalbox.store.remote.position import Notice
from signalbox.store.remote.responses import (
    EventsBody,
    UnfinishedBody,
    decoded,
    identity_option,
    json_body,
    path_of,
    task_in,
)
from signalbox.store.remote.tail import RemoteTail
from signalbox.store.remote.upload import upload
from signalbox.store.state import SentMessage, Task, Unfinished

PATIENCE = 30.0
"""Seconds for which a call is retried while the server is busy or unreachable, before it raises StoreUnavailable."""

T = TypeVar("T")


class RemoteLog(Blocking, Remote):
    """The log of the Signalbox server at `url`, with the rights of `token`. Safe to use from any thread and event loop.

    Each call is a coroutine with the prefix `a`, and has a blocking form without the prefix: see `store.blocking`.

    While the server is busy or unreachable, a call is retried for `patience` seconds. Events without an idempotency key
    get one, so a retry after a lost response does not append them twice. The errors are those of `store.errors`.
    NotAllowed is never retried, neither by a call nor by a tail.
    """

    def __init__(self, url: str, token: str | None = None, *, patience: float = PATIENCE) -> None:
        self._connection = Connection(url, token, patience)
        self.url, self.patience = self._connection.url, patience

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._connection.wait(coroutine)

    def set_notice(self, notice: Callable[[str], None]) -> None:
        """Do nothing, because nothing waits on disk: see `store.remote.spooled`."""

    async def aflush(self, timeout: float, patience: float) -> int:
        """Return 0, because nothing waits on disk."""
        return 0

    flush = blocking(aflush)

    # tasks

    async def acreate_task(
        self,
        task_id: str | None = None,
        *,
        title: str | None = None,
        kind: str | None = None,
        metadata: dict[str, Any] | None = None,
        project_id: str | None = None,
    ) -> tuple[Task, bool]:
        """Create a task, or return the existing one with this id unchanged. The bool says whether it is new.

        Without `project_id` the task belongs to the project of the token, else to the default project.
        """
        # Choose the id here, so that a retry finds the task that the first attempt created.
        body = {"task_id": new_id() if task_id is None else task_id, "title": title, "kind": kind, "metadata": metadata}
        body |= {"project_id": project_id} if project_id is not None else {}
        response = await self._connection.request("POST", "/api/tasks", json=body)
        return task_in(response), response.status_code == 201

    create_task = blocking(acreate_task)

    async def atask(self, task_id: str) -> Task:
        """Return the state of a task. `main_span_id` is empty: the server does not send it. Raises UnknownTask."""
        return task_in(await self._connection.request("GET", path_of(task_id), task_id))

    task = blocking(atask)

    async def alink_retry(self, task_id: str, retry: str, *, identity: str | None = None) -> None:
        """Record that the task `retry` runs this task again. Raises NotAllowed without the right to stop runs."""
        options = {"json": {"retry": retry}, **identity_option(identity)}
        await self._connection.request("POST", f"{path_of(task_id)}/retries", task_id, **options)

    link_retry = blocking(alink_retry)

    async def aset_unfinished(self, task_id: str, lines: Sequence[Unfinished], *, identity: str | None = None) -> None:
        """Replace the unfinished lines of a task that has not ended. `identity`: see `aappend`. Raises UnknownTask."""
        options = {**json_body(lines), **identity_option(identity)}
        await self._connection.request("PUT", f"{path_of(task_id)}/unfinished", task_id, **options)

    set_unfinished = blocking(aset_unfinished)

    async def aunfinished(self, task_id: str) -> list[Unfinished]:
        """Return the unfinished lines of a task. Raises UnknownTask."""
        return decoded(await self._connection.request("GET", path_of(task_id), task_id), UnfinishedBody).unfinished

    unfinished = blocking(aunfinished)

    async def auntaken_messages(self, task_id: str, *, identity: str | None = None) -> list[SentMessage]:
        """Return the messages of people that the run has not taken, at most 1000. Raises UnknownTask."""
        params = {"state": "sent", "limit": "1000", **({"identity": identity} if identity else {})}
        response = await self._connection.request("GET", f"{path_of(task_id)}/messages", task_id, params=params)
        return decoded(response, list[SentMessage])

    untaken_messages = blocking(auntaken_messages)

    # events

    async def aappend(
        self, task_id: str, events: NewEvent | Sequence[NewEvent], *, identity: str | None = None
    ) -> list[Event]:
        """Append all of `events` to a task, or none. Returns them as stored, in order.

        A task that does not exist is created. With the `identity` of a task this raises UnknownTask instead, also if
        another task has the id now. Raises InvalidEvent or Conflict.
        """
        events_with_keys = with_keys([events] if isinstance(events, NewEvent) else events)
        for event in events_with_keys:
            check_event(event)
        if not events_with_keys:
            return []
        options = {**json_body(events_with_keys), **identity_option(identity)}
        response = await self._connection.request("POST", f"{path_of(task_id)}/events", task_id, **options)
        return decoded(response, list[Event])

    append = blocking(aappend)

    async def aadd_artifact(
        self,
        task_id: str,
        content: BinaryIO,
        name: str,
        *,
        content_type: str | None = None,
        limit: int = MAX_ARTIFACT_BYTES,
        actor: str = "runner",
        span_id: str | None = None,
        phase: str | None = None,
        key: str | None = None,
        identity: str | None = None,
    ) -> Event:
        """Store a file as an artifact of a task, and return the event `artifact_stored`. See `Store.aadd_artifact`.

        The server's setting `max_artifact` limits the size; `limit` does not count.
        """
        path, options = f"{path_of(task_id)}/artifacts", upload(content, name, content_type, identity)
        options["params"] |= {"actor": actor, "key": key or new_id()}
        options["params"] |= {"span_id": span_id} if span_id else {}
        options["params"] |= {"phase": phase} if phase else {}
        return decoded(await self._connection.request("POST", path, task_id, **options), Event)

    add_artifact = blocking(aadd_artifact)

    async def aevents(
        self, task_id: str, since_seq: int = 0, limit: int = 100, *, identity: str | None = None
    ) -> list[Event]:
        """Return a page of the log: at most `limit` (1 to 1000) events after `since_seq`. Raises UnknownTask.

        A page of long events has fewer, about 8 MB. The next page begins after its last event; the log ends with an
        empty page.
        """
        params: dict[str, Any] = {"since_seq": since_seq, "limit": limit}
        params |= {"identity": identity} if identity else {}
        response = await self._connection.request("GET", f"{path_of(task_id)}/events", task_id, params=params)
        return decoded(response, EventsBody).events

    events = blocking(aevents)

    async def atail(
        self, task_id: str, *, since_seq: int = 0, notice: Notice | None = None, identity: str | None = None
    ) -> AsyncGenerator[Event]:
        """Yield a task's events after `since_seq`, then new ones as they are appended.

        Each event is yielded once and in order, even if the connection is lost in between.

            async for event in log.atail("nightly", since_seq=120): …

        `notice` is called with a line of text when the connection is lost and when it is back. With the `identity` of
        a task, the tail ends with UnknownTask once another task has the id.
        Raises UnknownTask, Conflict if the server's history was replaced, and StoreError if the server refuses.
        """
        tail = RemoteTail(self._connection, self.aevents, task_id, since_seq, notice, identity)
        try:
            while True:
                for event in await tail.step():
                    yield event
        finally:
            await tail.aclose()

    def tail(
        self, task_id: str, *, since_seq: int = 0, notice: Notice | None = None, identity: str | None = None
    ) -> Generator[Event]:
        """Do the same as `atail`, without an event loop: each `next()` blocks. `notice` is called in another thread."""
        loop = self._connection.loop_thread
        tail = RemoteTail(self._connection, self.aevents, task_id, since_seq, notice, identity)
        try:
            while True:
                self._connection.check_open()
                yield from loop.wait(tail.step())
        finally:
            loop.start(tail.aclose())

    # closing

    async def aclose(self) -> None:
        """Close the connections. Calls that still wait for the server raise StoreClosed."""
        await self._connection.off_the_loop(self._connection.close)

    close = blocking(aclose)
