"""The emitters, which append the events of the vocabulary: one for synchronous code, one for asyncio."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from signalbox.store.emitter.artifacts import FileSource, limit, name_for, not_stored, opened
from signalbox.store.emitter.fit_payload import fitting
from signalbox.store.emitter.opened_task import OpenedTask
from signalbox.store.emitter.vocabulary import Vocabulary
from signalbox.store.errors import InvalidEvent, UnknownTask
from signalbox.store.events import Event, NewEvent
from signalbox.store.log import Log
from signalbox.store.state import Task

FALLBACK_LIMIT = 8 * 1024
"""Bytes of JSON to which a payload is cut after a server with a lower limit refused it."""


class Emitter(Vocabulary[Event]):
    """The vocabulary for synchronous code. Each call returns the stored `Event` once it is committed.

    Values that the log cannot hold are converted or cut (see `store.emitter.fit_payload`). With `strict` they raise
    InvalidEvent.

    With `task`, events for its id go to this very task. If it is deleted, even if another task gets the id, they are
    dropped: the call returns an event with seq 0, and with `strict` it raises UnknownTask. `identity` does the same for
    a program that knows only the id and the identity of its task, as in `SIGNALBOX_TASK_IDENTITY`.
    """

    def __init__(
        self, log: Log, *, strict: bool = False, task: Task | None = None, identity: str | None = None
    ) -> None:
        self.log, self.strict = log, strict
        self._opened = OpenedTask(task, identity)

    def append(self, task_id: str, event: NewEvent) -> Event:
        identity = self._opened.identity_for(task_id)
        if self._opened.is_deleted(task_id) and not self.strict:
            return self._opened.unstored(task_id, fitting(event))
        try:
            return self._append(task_id, event, identity)
        except UnknownTask:
            if self.strict or identity is None:
                raise
            return self._opened.mark_deleted(task_id, fitting(event))

    def add_artifact(
        self,
        task_id: str,
        source: FileSource,
        name: str | None = None,
        *,
        content_type: str | None = None,
        actor: str = "runner",
        span_id: str | None = None,
        phase: str | None = None,
    ) -> Event:
        fields: dict[str, Any] = {"actor": actor, "span_id": span_id, "phase": phase}
        chosen = name_for(source, name, strict=self.strict)
        try:
            with opened(source) as file:
                return self.log.add_artifact(
                    task_id,
                    file,
                    chosen,
                    content_type=content_type,
                    limit=limit(),
                    identity=self._opened.identity_for(task_id),
                    **fields,
                )
        except (OSError, InvalidEvent, UnknownTask) as error:
            if self.strict:
                raise
            return self.append(task_id, not_stored(chosen, error, fields))

    def _append(self, task_id: str, event: NewEvent, identity: str | None) -> Event:
        try:
            return self.log.append(task_id, event, identity=identity)[0]
        except InvalidEvent:
            if self.strict:
                raise
        try:
            return self.log.append(task_id, fitting(event), identity=identity)[0]
        except InvalidEvent:
            return self.log.append(task_id, fitting(event, FALLBACK_LIMIT), identity=identity)[0]


class AsyncEmitter(Vocabulary[Awaitable[Event]]):
    """The vocabulary for asyncio. Awaiting a call gives the stored `Event`. The parameters are those of `Emitter`."""

    def __init__(
        self, log: Log, *, strict: bool = False, task: Task | None = None, identity: str | None = None
    ) -> None:
        self.log, self.strict = log, strict
        self._opened = OpenedTask(task, identity)

    async def append(self, task_id: str, event: NewEvent) -> Event:
        identity = self._opened.identity_for(task_id)
        if self._opened.is_deleted(task_id) and not self.strict:
            return self._opened.unstored(task_id, fitting(event))
        try:
            return await self._append(task_id, event, identity)
        except UnknownTask:
            if self.strict or identity is None:
                raise
            return self._opened.mark_deleted(task_id, fitting(event))

    async def add_artifact(
        self,
        task_id: str,
        source: FileSource,
        name: str | None = None,
        *,
        content_type: str | None = None,
        actor: str = "runner",
        span_id: str | None = None,
        phase: str | None = None,
    ) -> Event:
        fields: dict[str, Any] = {"actor": actor, "span_id": span_id, "phase": phase}
        chosen = name_for(source, name, strict=self.strict)
        try:
            with opened(source) as file:
                return await self.log.aadd_artifact(
                    task_id,
                    file,
                    chosen,
                    content_type=content_type,
                    limit=limit(),
                    identity=self._opened.identity_for(task_id),
                    **fields,
                )
        except (OSError, InvalidEvent, UnknownTask) as error:
            if self.strict:
                raise
            return await self.append(task_id, not_stored(chosen, error, fields))

    async def _append(self, task_id: str, event: NewEvent, identity: str | None) -> Event:
        try:
            return (await self.log.aappend(task_id, event, identity=identity))[0]
        except InvalidEvent:
            if self.strict:
                raise
        try:
            return (await self.log.aappend(task_id, fitting(event), identity=identity))[0]
        except InvalidEvent:
            return (await self.log.aappend(task_id, fitting(event, FALLBACK_LIMIT), identity=identity))[0]
