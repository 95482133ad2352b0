"""The log of a server, with a spool on disk for the time while the server is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any, BinaryIO, TypeVar

import httpx
import msgspec

from signalbox.store.artifacts import ARTIFACT_STORED, MAX_ARTIFACT_BYTES
from signalbox.store.blocking import blocking
from signalbox.store.errors import InvalidEvent, StoreUnavailable, UnknownTask
from signalbox.store.events import MAX_TITLE_CHARS, Event, NewEvent, check_event, check_task_id, check_text, new_id
from signalbox.store.log import unstored, with_keys
from signalbox.store.remote import PATIENCE, RemoteLog
from signalbox.store.remote.delivery import send_records
from signalbox.store.remote.position import Notice
from signalbox.store.remote.responses import NotSignalbox, decoded, identity_option, json_body, path_of, task_in
from signalbox.store.remote.upload import upload
from signalbox.store.spool import Spool, SpoolUnusable
from signalbox.store.spool.records import Record, artifact_record, event_records, task_record
from signalbox.store.state import Task, Unfinished
from signalbox.store.times import now

APPEND_TIMEOUT_S = 2.0
"""Seconds for which an append waits for the server before its events go to the spool."""

UPLOAD_TIMEOUT = httpx.Timeout(30, connect=APPEND_TIMEOUT_S)
"""Seconds for which the upload of a file waits for the server."""

CLOSE_TIMEOUT_S, CLOSE_PATIENCE_S = 5.0, 0.5
"""Seconds for which `close` sends what waits: at most, and while the server does not answer."""

TAIL_PAUSE_S = 0.5

T = TypeVar("T")


class SpooledLog(RemoteLog):
    """A log whose writes do not wait for the server.

    An append is one request. If the server does not answer it within `APPEND_TIMEOUT_S`, its events are kept in the
    spool, and while any event waits there, later ones go there too, so the order stays. Then the call returns at once,
    with events that have the seq 0 because they are not stored yet. A thread sends them when the server is back. The
    creation of a task and an artifact are kept in the same way. Other calls wait for the server.

    If the spool cannot be used, a write is retried for `patience` seconds, and then raises StoreUnavailable.
    """

    def __init__(self, url: str, token: str | None = None, *, patience: float = PATIENCE) -> None:
        super().__init__(url, token, patience=patience)
        self.spool = Spool(self.url, token, lambda records: send_records(self._connection, records))

    def set_notice(self, notice: Callable[[str], None]) -> None:
        self.spool.notice = notice

    async def aflush(self, timeout: float, patience: float) -> int:
        return await self._connection.off_the_loop(lambda: self.spool.flush(timeout, patience))

    def flush(self, timeout: float, patience: float) -> int:
        return self.spool.flush(timeout, patience)

    # writes

    async def acreate_task(
        self,
        task_id: str | None = None,
        *,
        title: str | None = None,
        kind: str | None = None,
        metadata: dict[str, Any] | None = None,
        project_id: str | None = None,
    ) -> tuple[Task, bool]:
        """Create a task, or return the existing one. A task that is kept in the spool has no identity yet."""
        chosen = check_task_id(new_id() if task_id is None else task_id)
        check_text(title, "title", optional=True, limit=MAX_TITLE_CHARS)
        check_text(kind, "kind", optional=True)
        body: dict[str, Any] = {"task_id": chosen, "title": title, "kind": kind, "metadata": metadata}
        body |= {"project_id": project_id} if project_id is not None else {}
        options = json_body(body)

        def send(patience: float) -> tuple[Task, bool]:
            response = self._request(patience, "POST", "/api/tasks", None, options)
            return task_in(response), response.status_code == 201

        def kept() -> tuple[Task, bool]:
            at = now()
            task = Task(task_id=chosen, main_span_id="", created_at=at, updated_at=at, title=title, kind=kind)
            return msgspec.structs.replace(task, metadata=metadata or {}, project_id=project_id or "default"), True

        return await self._write(send, lambda: [task_record(chosen, body)], kept)

    create_task = blocking(acreate_task)

    async def aappend(
        self, task_id: str, events: NewEvent | Sequence[NewEvent], *, identity: str | None = None
    ) -> list[Event]:
        """Append events, or keep them in the spool: then they have the seq 0. Raises as `RemoteLog.aappend` does."""
        check_task_id(task_id)
        with_key = with_keys([events] if isinstance(events, NewEvent) else events)
        for event in with_key:
            check_event(event)
        if not with_key:
            return []
        options = json_body(with_key) | identity_option(identity)

        def send(patience: float) -> list[Event]:
            response = self._request(patience, "POST", f"{path_of(task_id)}/events", task_id, options)
            return decoded(response, list[Event])

        return await self._write(
            send,
            lambda: event_records(task_id, identity, with_key),
            lambda: [unstored(task_id, event) for event in with_key],
        )

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
        """Store a file, or keep it in the spool. A file over `limit` bytes is not kept, which raises InvalidEvent."""
        params = {"name": name, "actor": actor, "key": key or new_id()}
        params |= {"span_id": span_id} if span_id else {}
        params |= {"phase": phase} if phase else {}
        path, options = f"{path_of(task_id)}/artifacts", upload(content, name, content_type, identity)
        options["params"] |= params

        def send(patience: float) -> Event:
            return decoded(self._connection.attempt("POST", path, task_id, timeout=UPLOAD_TIMEOUT, **options), Event)

        def records() -> list[Record]:
            size = content.seek(0, 2)
            if size > limit:
                raise InvalidEvent(f"{name} has {size:,} bytes, too many to keep while the server is away", "content")
            content.seek(0)
            header = {"type": options["headers"]["Content-Type"], "params": params}
            return [artifact_record(task_id, identity, header, content.read())]

        def kept() -> Event:
            event = NewEvent(event_type=ARTIFACT_STORED, actor=actor, phase=phase, span_id=span_id, key=params["key"])
            return unstored(task_id, msgspec.structs.replace(event, payload={"name": name}))

        return await self._write(send, records, kept)

    add_artifact = blocking(aadd_artifact)

    async def aset_unfinished(self, task_id: str, lines: Sequence[Unfinished], *, identity: str | None = None) -> None:
        """Replace the unfinished lines of a task. Raises StoreUnavailable at once while events wait in the spool."""
        options = json_body(lines) | identity_option(identity)

        def send() -> None:
            if self.spool.in_use():
                raise StoreUnavailable("events wait for the server")
            self._request(0, "PUT", f"{path_of(task_id)}/unfinished", task_id, options)

        await self._connection.append_off_the_loop(send)

    # following

    async def atail(
        self, task_id: str, *, since_seq: int = 0, notice: Notice | None = None, identity: str | None = None
    ) -> AsyncGenerator[Event]:
        """Do the same as `RemoteLog.atail`. A task whose creation waits in the spool is waited for."""
        cursor = since_seq
        while True:
            waiting = await self._connection.append_off_the_loop(self.spool.in_use)
            try:
                tail = super().atail(task_id, since_seq=cursor, notice=notice, identity=identity)
                async with aclosing(tail) as events:
                    async for event in events:
                        cursor = event.seq
                        yield event
            except UnknownTask:
                if not waiting or cursor:
                    raise
            await asyncio.sleep(TAIL_PAUSE_S)

    # closing

    async def aclose(self) -> None:
        """Send what waits in the spool, for a bounded time, then close the connections. The rest stays on disk."""
        await self.aflush(CLOSE_TIMEOUT_S, CLOSE_PATIENCE_S)
        await self._connection.off_the_loop(self.spool.close)
        await super().aclose()

    close = blocking(aclose)

    async def _write(self, send: Callable[[float], T], records: Callable[[], list[Record]], kept: Callable[[], T]) -> T:
        """Send a write, or keep its records and return the result of `kept`. `send` is called with its patience."""

        def write() -> T:
            if not self.spool.in_use():
                try:
                    return send(0)
                except (StoreUnavailable, NotSignalbox):
                    pass
            try:
                self.spool.keep(records())
            except SpoolUnusable as unusable:
                return self._repeated(send, unusable)
            return kept()

        self._connection.check_open()
        return await self._connection.append_off_the_loop(write)

    def _repeated(self, send: Callable[[float], T], unusable: SpoolUnusable) -> T:
        try:
            return send(self.patience)
        except StoreUnavailable as error:
            raise StoreUnavailable(f"{error}; {unusable}", error.retry_after) from unusable

    def _request(
        self, patience: float, method: str, path: str, task_id: str | None, options: dict[str, Any]
    ) -> httpx.Response:
        """Send a request once within `APPEND_TIMEOUT_S`, and with a `patience` again for so many seconds."""
        deadline = time.monotonic() + patience
        while True:
            try:
                return self._connection.attempt(method, path, task_id, timeout=APPEND_TIMEOUT_S, **options)
            except StoreUnavailable as error:
                wait = max(error.retry_after, 0.2)
                if time.monotonic() + wait > deadline:
                    raise
            self._connection.sleep(wait)
