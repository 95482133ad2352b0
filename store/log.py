"""The calls that runs and commands need, for a store on this machine or the log of a server."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any, BinaryIO

import msgspec

from signalbox.store.artifacts import MAX_ARTIFACT_BYTES
from signalbox.store.contract import Store, Who
from signalbox.store.errors import NotAllowed, StoreError
from signalbox.store.events import Event, NewEvent, new_id
from signalbox.store.identity import check_identity
from signalbox.store.state import SentMessage, Task, Unfinished
from signalbox.store.tail import follow
from signalbox.store.times import now

RETRY_PAUSE = 0.5
"""Seconds between two reads of a store that is unavailable."""


class Remote(ABC):
    """The calls of a server's log that runs and commands use. `store.remote.RemoteLog` implements them."""

    url: str

    @abstractmethod
    def set_notice(self, notice: Callable[[str], None]) -> None:
        """Call `notice` with a line of text when events wait on disk, and when the server answers again."""

    @abstractmethod
    async def aflush(self, timeout: float, patience: float) -> int:
        """Wait until no event waits on disk. Return how many still wait.

        Waits at most `timeout` seconds, and at most `patience` seconds while the server does not answer.
        """

    @abstractmethod
    def create_task(
        self,
        task_id: str | None = None,
        *,
        title: str | None = None,
        kind: str | None = None,
        metadata: dict[str, Any] | None = None,
        project_id: str | None = None,
    ) -> tuple[Task, bool]: ...
    @abstractmethod
    async def acreate_task(
        self,
        task_id: str | None = None,
        *,
        title: str | None = None,
        kind: str | None = None,
        metadata: dict[str, Any] | None = None,
        project_id: str | None = None,
    ) -> tuple[Task, bool]: ...
    @abstractmethod
    def append(
        self, task_id: str, events: NewEvent | Sequence[NewEvent], *, identity: str | None = None
    ) -> list[Event]: ...
    @abstractmethod
    async def aappend(
        self, task_id: str, events: NewEvent | Sequence[NewEvent], *, identity: str | None = None
    ) -> list[Event]: ...
    @abstractmethod
    async def aset_unfinished(
        self, task_id: str, lines: Sequence[Unfinished], *, identity: str | None = None
    ) -> None: ...
    @abstractmethod
    def add_artifact(
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
    ) -> Event: ...
    @abstractmethod
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
    ) -> Event: ...
    @abstractmethod
    async def atask(self, task_id: str) -> Task: ...
    @abstractmethod
    async def aunfinished(self, task_id: str) -> list[Unfinished]: ...
    @abstractmethod
    async def auntaken_messages(self, task_id: str, *, identity: str | None = None) -> list[SentMessage]: ...
    @abstractmethod
    async def alink_retry(self, task_id: str, retry: str, *, identity: str | None = None) -> None: ...
    @abstractmethod
    async def aevents(self, task_id: str, since_seq: int = 0, limit: int = 100) -> list[Event]: ...
    @abstractmethod
    def atail(
        self,
        task_id: str,
        *,
        since_seq: int = 0,
        notice: Callable[[str], None] | None = None,
        identity: str | None = None,
    ) -> AsyncGenerator[Event]: ...
    @abstractmethod
    def close(self) -> None: ...
    @abstractmethod
    async def aclose(self) -> None: ...


Log = Store | Remote
"""A database, or the log of a server. Both have the calls of `Remote` up to `aadd_artifact`.

The store that `open_store` returns for a server is both: check for `Remote` first.
"""


def with_keys(events: Sequence[NewEvent]) -> list[NewEvent]:
    """Return `events`, each with an idempotency key, so that the append can be retried after a lost response."""
    prefix = new_id()
    return [
        event if event.key is not None else msgspec.structs.replace(event, key=f"{prefix}-{number}")
        for number, event in enumerate(events)
    ]


def unstored(task_id: str, event: NewEvent, main_span_id: str = "") -> Event:
    """Return `event` as an event that is not stored, or not yet. Its `event_id` and `seq` are 0."""
    return Event(
        event_id=0,
        task_id=task_id,
        seq=0,
        event_type=event.event_type,
        phase=event.phase,
        actor=event.actor,
        span_id=event.span_id or main_span_id,
        parent_span_id=event.parent_span_id,
        payload_json=msgspec.Raw(msgspec.json.encode(event.payload)),
        created_at=now(),
        key=event.key,
        occurred_at=event.occurred_at or msgspec.UNSET,
    )


async def events_of(
    log: Log,
    task_id: str,
    *,
    since_seq: int = 0,
    notice: Callable[[str], None] | None = None,
    identity: str | None = None,
) -> AsyncGenerator[Event]:
    """Yield a task's events after `since_seq`, then new ones: each once and in order, also across failures.

    `notice` is called with a line of text when the connection to a server is lost and when it is restored. With
    the `identity` of the task, this raises UnknownTask once another task has the id. Raises UnknownTask, Conflict if
    the log was replaced by another one, and other errors that are not `retryable`.
    """
    if isinstance(log, Remote):
        tail = log.atail(task_id, since_seq=since_seq, notice=notice, identity=identity)
        async with aclosing(tail) as events:
            async for event in events:
                yield event
        return
    cursor, epoch = since_seq, log.epoch
    while True:
        try:
            identity = identity or (await task_of(log, task_id)).identity
            async with aclosing(follow(log, task_id, since_seq=cursor, identity=identity, epoch=epoch)) as events:
                async for event in events:
                    cursor = event.seq
                    yield event
        except StoreError as error:
            if not error.retryable:
                raise
            await asyncio.sleep(RETRY_PAUSE)
            await log.acheck()


async def task_of(log: Log, task_id: str) -> Task:
    """Return the state of a task. Raises UnknownTask."""
    if isinstance(log, Remote):
        return await log.atask(task_id)
    async with log.read() as view:
        return await view.task(task_id)


async def unfinished_of(log: Log, task_id: str) -> list[Unfinished]:
    """Return the unfinished lines of a task. Raises UnknownTask."""
    if isinstance(log, Remote):
        return await log.aunfinished(task_id)
    async with log.glance() as view:
        return await view.unfinished(task_id)


async def untaken_messages_of(log: Log, task_id: str, identity: str | None = None) -> list[SentMessage]:
    """Return the messages of people that the run has not taken. Raises UnknownTask."""
    if isinstance(log, Remote):
        return await log.auntaken_messages(task_id, identity=identity)
    async with log.read() as view:
        task = await view.task(task_id)
        check_identity(task_id, identity, task.identity)
        waiting = await view.messages(task_id, untaken=True, limit=1000)
    return [message for message in waiting if message.state(task) == "sent"]


async def link_retry(log: Log, task: Task, retry: str, who: Who, source: str) -> None:
    """Record in the log of `task` that `who` runs it again as the task `retry`. Raises UnknownTask.

    If the token has no right to stop runs at the server, the event is only a claim.
    """
    task_id, identity = task.task_id, task.identity or None
    request = NewEvent(event_type="retry_requested", actor="user", payload={"retry": retry, "by": who.name})
    if not isinstance(log, Remote):
        event = msgspec.structs.replace(request, key=f"retry:{retry}")
        action = request.event_type
        await log.aappend_audited(task_id, event, actor=who, action=action, source=source, identity=identity)
        return
    try:
        await log.alink_retry(task_id, retry, identity=identity)
    except NotAllowed:
        await log.aappend(task_id, request, identity=identity)


async def page_of(log: Log, task_id: str, since_seq: int, limit: int) -> list[Event]:
    """Return a page of a task's log: the first `limit` (1 to 1000) events after `since_seq`. Raises UnknownTask."""
    if isinstance(log, Remote):
        found: list[Event] = []
        # A server returns fewer events if they are long.
        while len(found) < limit and (
            page := await log.aevents(task_id, found[-1].seq if found else since_seq, limit - len(found))
        ):
            found += page
        return found
    async with log.glance() as view:
        return await view.events(task_id, since_seq, limit)
