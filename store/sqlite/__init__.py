"""The embedded store: one SQLite file, one writer, read-only readers. The default kind."""

from __future__ import annotations

import asyncio
import sqlite3
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, closing, suppress
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import msgspec
import structlog

from signalbox.store.contract import Reading, TaskRecord, Who
from signalbox.store.errors import InvalidEvent, StoreError, StoreUnavailable
from signalbox.store.events import (
    Event,
    NewEvent,
    Origin,
    check_key,
    check_task_id,
    check_text,
    encode_payload,
    new_id,
)
from signalbox.store.people import DEFAULT_PROJECT
from signalbox.store.sqlite import append as appending
from signalbox.store.sqlite import audits, importing, listing, unfinished
from signalbox.store.sqlite.connection import create_private, open_for_writing, private
from signalbox.store.sqlite.file import DatabaseFile
from signalbox.store.sqlite.job import ARRIVED
from signalbox.store.sqlite.peek import Peek
from signalbox.store.sqlite.people import SqlitePeople
from signalbox.store.sqlite.readers import Readers
from signalbox.store.sqlite.reopening import Reopening
from signalbox.store.sqlite.saving import save_and_close
from signalbox.store.sqlite.writer import Writer
from signalbox.store.state import Task, Unfinished
from signalbox.store.tasklist import SavedView

ROOM = 65_536
"""Bytes that must fit onto a disk before it counts as not full any more."""

WAITING_WRITES = 16
"""Blocking writes that wait for the database at once; more wait for a thread, within the same deadline."""

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger("signalbox.store")


class SqliteStore:
    """The `Store` of one SQLite file; see `store.contract`."""

    def __init__(self, path: Path, url: str, *, synchronous: str = "NORMAL") -> None:
        if synchronous not in ("NORMAL", "FULL"):
            raise InvalidEvent("synchronous must be NORMAL or FULL", "synchronous")
        if not path.parent.is_dir():
            raise StoreUnavailable(f"there is no directory {path.parent} for the database", retry_after=30)
        self.url = url
        self.path = path
        self._listeners: list[Callable[[], None]] = []
        create_private(path)
        self._file = DatabaseFile(path)
        connection, facts = open_for_writing(path, synchronous)
        self.epoch, self._key = facts["epoch"], bytes.fromhex(facts["key"])
        self._file.opened()
        self._reopening = Reopening(self._file, synchronous)
        self._writer = Writer(connection, self._file, self._reopen, self._committed)
        self._readers = Readers(self._file)
        self._peeks: weakref.WeakSet[Peek] = weakref.WeakSet()
        self.people = SqlitePeople(self._writer, self._readers)
        self._thread: ThreadPoolExecutor | None = None
        self._threads: ThreadPoolExecutor | None = None

    @property
    def key(self) -> bytes | None:
        return self._key if private(self.path) else None

    # writing

    def create_task(
        self,
        task_id: str | None = None,
        *,
        title: str | None = None,
        kind: str | None = None,
        metadata: dict[str, Any] | None = None,
        project_id: str | None = None,
    ) -> tuple[Task, bool]:
        return self._writer.run(_creation(task_id, title, kind, metadata, project_id))

    async def acreate_task(
        self,
        task_id: str | None = None,
        *,
        title: str | None = None,
        kind: str | None = None,
        metadata: dict[str, Any] | None = None,
        project_id: str | None = None,
        alone: bool = False,
    ) -> tuple[Task, bool]:
        return await self._arun(_creation(task_id, title, kind, metadata, project_id, alone))

    def append(
        self, task_id: str, events: NewEvent | Sequence[NewEvent], *, identity: str | None = None, own: bool = False
    ) -> list[Event]:
        drafts, origin = _drafts(task_id, events, own=own), _origin(own)
        if not drafts:
            return []
        return self._writer.run(lambda db: appending.append(db, task_id, drafts, origin, identity), len(drafts))

    async def aappend(
        self, task_id: str, events: NewEvent | Sequence[NewEvent], *, identity: str | None = None, own: bool = False
    ) -> list[Event]:
        drafts, origin = _drafts(task_id, events, own=own), _origin(own)
        if not drafts:
            return []
        return await self._arun(lambda db: appending.append(db, task_id, drafts, origin, identity), len(drafts))

    async def aappend_while(self, task_id: str, event: NewEvent, condition: Callable[[Task], bool]) -> Event | None:
        (draft,) = _drafts(task_id, event, own=True)
        return await self._arun(lambda db: appending.append_while(db, task_id, draft, condition))

    def import_task(self, record: TaskRecord, events: Iterable[Event], project_id: str | None = None) -> Task:
        with closing(importing.Import(record, events)) as given:
            return self._writer.run(lambda db: given.write(db, project_id or DEFAULT_PROJECT))

    def delete_task(self, task_id: str) -> None:
        self._writer.run(lambda db: listing.remove(db, task_id))

    async def adelete_task(
        self, task_id: str, *, actor: str | Who, source: str | None = None, identity: str | None = None
    ) -> Task:
        return await self._arun(lambda db: listing.delete(db, task_id, actor, source, identity))

    async def aarchive_task(
        self, task_id: str, archived: bool, *, actor: str | Who, source: str | None = None, identity: str | None = None
    ) -> Task:
        return await self._arun(lambda db: listing.archive(db, task_id, archived, actor, source, identity))

    async def amark_stale(self, task_id: str, latest_seq: int) -> bool:
        return await self._arun(lambda db: listing.mark_stale(db, task_id, latest_seq))

    async def aset_unfinished(self, task_id: str, lines: Sequence[Unfinished]) -> None:
        check_task_id(task_id)
        kept = unfinished.checked(lines)
        await self._arun(lambda db: unfinished.write(db, task_id, kept))

    async def asave_view(
        self, name: str, filters: str, *, actor: str | Who, source: str | None = None, project_id: str | None = None
    ) -> SavedView:
        return await self._arun(lambda db: listing.save_view(db, name, filters, actor, source, project_id))

    async def adelete_view(self, view_id: int, *, actor: str | Who, source: str | None = None) -> SavedView:
        return await self._arun(lambda db: listing.delete_view(db, view_id, actor, source))

    def audit(
        self,
        actor: str | Who,
        action: str,
        *,
        task_id: str | None = None,
        seq: int | None = None,
        source: str | None = None,
        detail: dict[str, Any] | None = None,
    ) -> None:
        audit = audits.checked(actor, action, source, detail)
        self._writer.run(lambda db: audits.add(db, audit, task_id, seq))

    def append_audited(
        self,
        task_id: str,
        event: NewEvent,
        *,
        actor: str | Who,
        action: str,
        source: str | None = None,
        identity: str | None = None,
    ) -> Event:
        (draft,) = _drafts(task_id, event, own=True)
        audit = audits.checked(actor, action, source, event.payload)
        return self._writer.run(lambda db: audits.append(db, task_id, draft, audit, identity))

    async def aappend_audited(
        self,
        task_id: str,
        event: NewEvent,
        *,
        actor: str | Who,
        action: str,
        source: str | None = None,
        identity: str | None = None,
    ) -> Event:
        (draft,) = _drafts(task_id, event, own=True)
        audit = audits.checked(actor, action, source, event.payload)
        return await self._arun(lambda db: audits.append(db, task_id, draft, audit, identity))

    async def awrite(self, write: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(WAITING_WRITES, thread_name_prefix="signalbox-waiting")
        context = copy_context()
        context.run(ARRIVED.set, time.monotonic())
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(context.run, partial(write, *args, **more)))

    async def _arun(self, work: Callable[[sqlite3.Connection], T], weight: int = 1) -> T:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="signalbox-writer")
        job = self._writer.submit(work, weight, cancellable=True)
        self._thread.submit(self._writer.drain)
        expiry = asyncio.get_running_loop().call_later(job.deadline - time.monotonic(), job.expire)
        try:
            return await asyncio.wrap_future(job)
        finally:
            expiry.cancel()

    # reading and waking

    def read(self) -> AbstractAsyncContextManager[Reading]:
        return self._readers.view()

    def glance(self) -> AbstractAsyncContextManager[Reading]:
        return self._readers.view(consistent=False)

    def peek(self) -> Peek:
        peek = Peek(self._file)
        self._peeks.add(peek)
        return peek

    def on_commit(self, callback: Callable[[], None]) -> Callable[[], None]:
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def _committed(self) -> None:
        for listener in list(self._listeners):
            try:
                listener()
            except Exception as error:
                # It was committed: neither those who appended nor the other listeners may miss that.
                log.error("a listener to commits failed", exc_info=error)

    @property
    def wal_path(self) -> Path:
        """The write-ahead log, which every process's commits write to."""
        return self.path.with_name(self.path.name + "-wal")

    @property
    def queued(self) -> int:
        """Appends that wait for a transaction."""
        return self._writer.queued

    @property
    def commits(self) -> int:
        """Transactions committed by this process."""
        return self._writer.commits

    # the file

    @property
    def generation(self) -> int:
        return self._file.generation

    @property
    def problems(self) -> list[tuple[str, str]]:
        """What is wrong with the database, as codes and messages that name no file."""
        return self._file.problems

    def check(self) -> None:
        """Compare the open files with those at the path; while they are lost, try to open what is there.

        While the disk is full, try whether there is room again.
        """
        if not self._file.look():
            self._writer.reopen()
        elif self._file.full:
            with suppress(StoreError):
                self._writer.run(_try_room)
                self._writer.run(_give_room_back)

    def _reopen(self, lost: sqlite3.Connection) -> sqlite3.Connection:
        """The connection to the database that is at the path now. Raises StoreLost. The writer is locked meanwhile."""
        if not self._reopening.is_due():
            raise self._file.error()
        save_and_close(lost, self._file)
        self._committed()  # whoever follows the log looks, and lets go of it
        if not self._readers.let_go() or any(peek.is_open for peek in self._peeks):
            raise self._file.error()
        found = self._reopening.open(self.epoch)
        self.epoch, self._key = found.epoch, bytes.fromhex(found.key)
        log.warning("the database was opened again", path=str(self.path), epoch=self.epoch)
        return found.connection

    # closing

    def close(self) -> None:
        self._close_writer()
        self._readers.stop()

    async def aclose(self) -> None:
        await asyncio.to_thread(self._close_writer)
        await self._readers.close()

    def _close_writer(self) -> None:
        for executor in (self._threads, self._thread):
            if executor is not None:
                executor.shutdown()
        self._writer.close()


def _try_room(db: sqlite3.Connection) -> None:
    db.execute("INSERT OR REPLACE INTO store_facts VALUES ('room', zeroblob(?))", (ROOM,))


def _give_room_back(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM store_facts WHERE name = 'room'")


def _creation(
    task_id: str | None,
    title: str | None,
    kind: str | None,
    metadata: dict[str, Any] | None,
    project_id: str | None,
    alone: bool = False,
) -> Callable[[sqlite3.Connection], tuple[Task, bool]]:
    chosen = check_task_id(task_id if task_id is not None else new_id())
    check_text(title, "title", optional=True, limit=512)
    check_text(kind, "kind", optional=True)
    kept = msgspec.json.decode(encode_payload(metadata or {}, "metadata"))
    return lambda db: appending.create_task(db, chosen, title, kind, kept, project_id or DEFAULT_PROJECT, alone)


def _origin(own: bool) -> Origin | None:
    return "server" if own else None


def _drafts(task_id: str, events: NewEvent | Sequence[NewEvent], *, own: bool = False) -> list[appending.Draft]:
    check_task_id(task_id)
    given = [events] if isinstance(events, NewEvent) else events
    for event in given:
        if event.key is not None and not own:
            check_key(event.key)
    return [appending.draft_of(event) for event in given]
