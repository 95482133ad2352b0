"""The writes of every store. Each checks its arguments, then runs in a transaction of the writer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import closing
from functools import partial
from typing import Any, BinaryIO, TypeVar

import msgspec

from signalbox.store.artifacts import ARTIFACT_STORED, MAX_ARTIFACT_BYTES, content_of, type_of
from signalbox.store.chain.heads import SignedHead
from signalbox.store.contract import TaskRecord, Who
from signalbox.store.contract.leasing import Fence
from signalbox.store.errors import StoreUnavailable, TaskBeingRemoved, TaskIsCold
from signalbox.store.events import (
    MAX_TITLE_CHARS,
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
from signalbox.store.sql import append as appending
from signalbox.store.sql import artifacts, audits, importing, removal, task_actions, unfinished
from signalbox.store.sql.background_writing import BackgroundWrites
from signalbox.store.sql.cold_tasks import stages
from signalbox.store.sql.cold_tasks.files import ColdFiles, NoColdFiles
from signalbox.store.sql.database import Database
from signalbox.store.sql.group_commit import Calls, GroupCommit
from signalbox.store.sql.log_writing import LogWrites
from signalbox.store.state import Task, Unfinished
from signalbox.store.tags import check_metadata
from signalbox.store.task_query import SavedView

log = logging.getLogger("signalbox.store")

T = TypeVar("T")

REMOVAL_TIMEOUT = 30.0
"""Seconds for which the creation of a task waits until the rows of a deleted task with its id are removed."""


class Writes(LogWrites, BackgroundWrites):
    """Implements `Writing` and `Store.on_commit` with the writer of a store, which calls `_committed` after commits."""

    def __init__(self, writer: GroupCommit) -> None:
        self._writer = writer
        self._calls = Calls(writer)
        self.cold_files: ColdFiles = NoColdFiles()
        self._listeners: list[Callable[[], None]] = []

    @property
    def writer(self) -> GroupCommit:
        """The writer of this process."""
        return self._writer

    @property
    def calls(self) -> Calls:
        """The writes as coroutines."""
        return self._calls

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._calls.wait(coroutine)

    def on_commit(self, callback: Callable[[], None]) -> Callable[[], None]:
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def _committed(self) -> None:
        for listener in list(self._listeners):
            try:
                listener()
            except Exception as error:
                # The commit succeeded, so the appending callers and the other listeners must still learn of it.
                log.error("a listener for commits failed", exc_info=error)

    # tasks

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
        chosen = check_task_id(task_id if task_id is not None else new_id())
        check_text(title, "title", optional=True, limit=MAX_TITLE_CHARS)
        check_text(kind, "kind", optional=True)
        stored = msgspec.json.decode(encode_payload(metadata or {}, "metadata"))
        check_metadata(stored)
        project = project_id or DEFAULT_PROJECT
        return await self._once_removed(
            chosen, lambda db: appending.create_task(db, chosen, title, kind, stored, project, alone)
        )

    async def _once_removed(self, task_id: str, work: Callable[[Database], T]) -> T:
        """Run work that may create a task. If rows of a deleted task with this id are left, remove them first."""
        try:
            return await self._calls.write(work)
        except TaskBeingRemoved:
            await self._remove_completely(task_id)
            return await self._calls.write(work)

    async def _remove_completely(self, task_id: str) -> None:
        if not await self.aremove_deleted(task_id, seconds=REMOVAL_TIMEOUT):
            raise TaskBeingRemoved(task_id)

    async def aimport_task(
        self,
        record: TaskRecord,
        events: Iterable[Event],
        project_id: str | None = None,
        *,
        heads: Sequence[SignedHead] = (),
    ) -> Task:
        project = project_id or DEFAULT_PROJECT
        return await self._calls.off_the_loop(partial(self._import, record, events, project, heads))

    def _import(
        self, record: TaskRecord, events: Iterable[Event], project_id: str, heads: Sequence[SignedHead]
    ) -> Task:
        with closing(importing.Import(record, events, heads)) as imported:
            try:
                return self._writer.run(lambda db: imported.write(db, project_id, self.log_key))
            except TaskBeingRemoved:
                self.wait(self._remove_completely(record.task_id))
                return self._writer.run(lambda db: imported.write(db, project_id, self.log_key))

    async def adelete_task(
        self,
        task_id: str,
        *,
        actor: str | Who | None = None,
        source: str | None = None,
        identity: str | None = None,
        later: bool = False,
    ) -> Task:
        def delete(db: Database) -> tuple[Task, stages.StoredFile | None]:
            file = stages.file_of(db, task_id)
            return task_actions.delete(db, task_id, actor, source, identity), file

        task, file = await self._calls.write(delete, unchecked=True)
        if file is not None:
            await self._calls.off_the_loop(partial(self.cold_files.delete_file, file))
        if not later:
            await self.aremove_deleted(task_id)
        return task

    async def aremove_deleted(self, task_id: str | None = None, *, seconds: float | None = None) -> bool:
        until = None if seconds is None else time.monotonic() + seconds
        while until is None or time.monotonic() < until:
            begun = time.monotonic()
            if not await self._calls.write(lambda db: removal.step(db, task_id), removal.WEIGHT):
                if task_id is None:
                    await self._calls.off_the_loop(partial(artifacts.sweep, self._writer.run))
                return True
            # Other processes poll for the lock, so it must be free for longer than it is held.
            pause = removal.PAUSE_FACTOR * (time.monotonic() - begun)
            await self._calls.off_the_loop(partial(time.sleep, pause))
        return False

    async def aarchive_task(
        self, task_id: str, archived: bool, *, actor: str | Who, source: str | None = None, identity: str | None = None
    ) -> Task:
        return await self._calls.write(lambda db: task_actions.archive(db, task_id, archived, actor, source, identity))

    async def ahold_task(
        self,
        task_id: str,
        reason: str | None,
        *,
        actor: str | Who,
        source: str | None = None,
        identity: str | None = None,
    ) -> Task:
        return await self._calls.write(lambda db: task_actions.hold(db, task_id, reason, actor, source, identity))

    async def amark_stale(self, task_id: str, latest_seq: int, *, fence: Fence | None = None) -> bool:
        return await self._calls.write(lambda db: task_actions.mark_stale(db, task_id, latest_seq, fence))

    async def adiagnose(self, task_id: str) -> None:
        check_task_id(task_id)
        await self._calls.write(lambda db: task_actions.diagnose(db, task_id))

    async def aset_unfinished(self, task_id: str, lines: Sequence[Unfinished], *, identity: str | None = None) -> None:
        check_task_id(task_id)
        encoded = unfinished.checked(lines)
        await self._calls.write(lambda db: unfinished.write(db, task_id, encoded, identity))

    # events

    async def aappend(
        self, task_id: str, events: NewEvent | Sequence[NewEvent], *, identity: str | None = None, own: bool = False
    ) -> list[Event]:
        # A generator, which the type of `events` excludes, would be empty after the first look at it.
        events = [events] if isinstance(events, NewEvent) else list(events)
        drafts = _drafts(task_id, events, own=own)
        if not drafts:
            return []
        origin: Origin | None = "server" if own else None

        def append(db: Database) -> list[Event]:
            return appending.append(db, task_id, drafts, origin, identity)

        try:
            return await self._calls.write(append, len(drafts))
        except TaskBeingRemoved:
            await self._remove_completely(task_id)
            return await self.aappend(task_id, events, identity=identity, own=own)
        except TaskIsCold:
            return await self._after_bringing_back(task_id, append, len(drafts))

    async def _after_bringing_back(self, task_id: str, work: Callable[[Database], T], weight: int = 1) -> T:
        """Bring a task back from cold storage, then run `work`."""
        await self.cold_files.abring_back(task_id, blocks=self._calls.blocking)
        try:
            return await self._calls.write(work, weight)
        except TaskIsCold:
            raise StoreUnavailable(f"the task {task_id!r} went to cold storage again at once") from None

    async def aappend_while(
        self, task_id: str, event: NewEvent, condition: Callable[[Task], bool], *, fence: Fence | None = None
    ) -> Event | None:
        (draft,) = _drafts(task_id, event, own=True)

        def append(db: Database) -> Event | None:
            return appending.append_while(db, task_id, draft, condition, fence)

        try:
            return await self._calls.write(append)
        except TaskIsCold:
            return await self._after_bringing_back(task_id, append)

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

        def append(db: Database) -> Event:
            return appending.append_audited(db, task_id, draft, audit, identity)

        try:
            return await self._calls.write(append)
        except TaskIsCold:
            return await self._after_bringing_back(task_id, append)

    # artifacts

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
        check_text(name, "name")
        kind = type_of(name, content_type)
        if key is not None:
            check_key(key)

        def add() -> Event:
            found = content_of(content, name, limit)
            fields = {"name": name, "content_type": kind, "size": found.size, "sha256": found.sha256}
            event = NewEvent(
                event_type=ARTIFACT_STORED, phase=phase, actor=actor, span_id=span_id, payload=fields, key=key
            )
            drafts = _drafts(task_id, event, own=True)

            def check(db: Database) -> None:
                appending.load_head(db, task_id, create=False)

            def finish(db: Database) -> Event:
                check(db)
                return appending.append(db, task_id, drafts, "server", identity)[0]

            self._writer.run(check)
            return artifacts.store(self._writer.run, content, found, finish)

        try:
            return await self._calls.off_the_loop(add)
        except TaskIsCold:
            await self.cold_files.abring_back(task_id, blocks=self._calls.blocking)
        return await self._calls.off_the_loop(add)

    # audits and saved views

    async def aaudit(
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
        await self._calls.write(lambda db: audits.add(db, audit, task_id, seq))

    async def asave_view(
        self, name: str, filters: str, *, actor: str | Who, source: str | None = None, project_id: str | None = None
    ) -> SavedView:
        return await self._calls.write(lambda db: task_actions.save_view(db, name, filters, actor, source, project_id))

    async def adelete_view(self, view_id: int, *, actor: str | Who, source: str | None = None) -> SavedView:
        return await self._calls.write(lambda db: task_actions.delete_view(db, view_id, actor, source))


def _drafts(task_id: str, events: NewEvent | Sequence[NewEvent], *, own: bool = False) -> list[appending.Draft]:
    check_task_id(task_id)
    given = [events] if isinstance(events, NewEvent) else events
    for event in given:
        if event.key is not None and not own:
            check_key(event.key)
    return [appending.to_draft(event) for event in given]
