"""A run: from its spawn to its exit."""

from __future__ import annotations

import asyncio
import os
import platform
import traceback
from collections.abc import Awaitable
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Any

from signalbox.store.emitter.fitting import MAX_TITLE, fitting_object, text_of, word
from signalbox.store.emitter.lifeline import Lifeline
from signalbox.store.emitter.scope import SpanScope
from signalbox.store.emitter.steps import Branch, failure, innermost
from signalbox.store.emitter.vocabulary import AsyncEmitter, Emitter, R, Vocabulary
from signalbox.store.events import Event, new_id
from signalbox.store.log import Log
from signalbox.store.reserved import check_kind

HEARTBEAT_INTERVAL = 10.0
"""Seconds of silence after which a run says that it is alive."""

MAX_TRACEBACK = 16_000
"""Characters of a traceback that go into the log: its end, which names the error."""


class Run(Branch[R]):
    """The handle of a task that is being run. Made by `open_task`.

    Its own methods speak for the innermost phase or work item that is open around the caller in this thread or
    asyncio task.
    """

    lifeline: Lifeline

    def __init__(
        self, emitter: Vocabulary[R], task_id: str, span_id: str, lifeline: Lifeline, *, synchronous: bool
    ) -> None:
        self.task_id = task_id
        self.synchronous = synchronous
        self.lifeline = lifeline
        self._emitter = emitter
        self._heeded = False
        super().__init__(self, span_id, None, None)

    @property
    def emitter(self) -> Vocabulary[R]:
        self.lifeline.touch()
        return self._emitter

    @property
    def here(self) -> SpanScope[R]:
        step = innermost.get()
        return step if step is not None and step.run is self else self

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked this run to stop. A run that ends after it saw this is recorded as cancelled."""
        self._heeded = self._heeded or self.lifeline.cancelled
        return self._heeded

    def check_mode(self, *, synchronous: bool) -> None:
        """Raise TypeError where `with` and `async with` are mixed."""
        if synchronous != self.synchronous:
            word = "with" if self.synchronous else "async with"
            raise TypeError(f"this task was opened by `{word}`, so its parts are too")

    def exit(self, error: BaseException | None) -> R:
        """Append how the run ended."""
        code, fields = 0, failure(error)
        if isinstance(error, KeyboardInterrupt | asyncio.CancelledError):
            code, fields = 130, {"status": "cancelled", "message": "cancelled"}
        elif isinstance(error, SystemExit):
            code, fields = _exit_code(error)
        elif error is not None and self._heeded:
            code, fields = 1, {**fields, "status": "cancelled"}
        elif error is not None:
            trace = "".join(traceback.format_exception(error))
            code, fields = 1, {"status": "failed", **fields, "traceback": trace[-MAX_TRACEBACK:]}
        elif self._heeded:
            fields = {"status": "cancelled", "message": "stopped on request"}
        return self._emitter.emit_runner_exit(self.task_id, self.span_id, code, **fields)


class open_task:
    """Run a task: `with open_task(store, "nightly", title="Nightly build") as task:`, or with `async with`.

    Makes the task if it is new, appends `runner_spawn`, keeps it alive with heartbeats, and at the end of the block
    appends `runner_exit`: done, failed with the exception, or cancelled (KeyboardInterrupt, asyncio's cancellation).
    `log` is a store or a `RemoteLog`; without `task_id` the task gets a new one. A new task is made in
    `project_id`. Further keywords go into the payload of `runner_spawn`.

    Emitting never ends the program: what the log cannot hold is converted or cut. With `strict` it raises InvalidEvent.
    """

    def __init__(
        self,
        log: Log,
        task_id: str | None = None,
        *,
        title: str | None = None,
        kind: str | None = None,
        metadata: dict[str, Any] | None = None,
        project_id: str | None = None,
        runner_version: str | None = None,
        heartbeat_interval: float = HEARTBEAT_INTERVAL,
        strict: bool = False,
        **spawn: Any,
    ) -> None:
        check_kind(kind)
        self._log, self._strict = log, strict
        if not strict:
            title, kind = word(title, MAX_TITLE), word(kind)
            metadata = fitting_object(metadata) if metadata else None
        self._task: dict[str, Any] = {
            "task_id": task_id,
            "title": title,
            "kind": kind,
            "metadata": metadata,
            "project_id": project_id,
        }
        self._runner = (os.getpid(), runner_version or own_version())
        self._interval = heartbeat_interval
        self._spawn = {
            "host": platform.node() or None,
            "python": platform.python_version(),
            "heartbeat_interval": heartbeat_interval,
            **spawn,
        }

    def __enter__(self) -> Run[Event]:
        task, _ = self._log.create_task(**self._task)
        emitter = Emitter(self._log, strict=self._strict)
        spawned = emitter.emit_runner_spawn(task.task_id, new_id(), *self._runner, **self._spawn)
        self._run = Run(emitter, task.task_id, spawned.span_id, self._lifeline(spawned), synchronous=True)
        return self._run

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run.lifeline.stop()
        self._run.exit(error)

    async def __aenter__(self) -> Run[Awaitable[Event]]:
        task, _ = await self._log.acreate_task(**self._task)
        emitter = AsyncEmitter(self._log, strict=self._strict)
        spawned = await emitter.emit_runner_spawn(task.task_id, new_id(), *self._runner, **self._spawn)
        self._arun = Run(emitter, task.task_id, spawned.span_id, self._lifeline(spawned), synchronous=False)
        return self._arun

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._arun.lifeline.stop)
        await self._arun.exit(error)

    def _lifeline(self, spawned: Event) -> Lifeline:
        return Lifeline(self._log, spawned.task_id, spawned.span_id, spawned.seq, self._interval)


def own_version() -> str:
    """Which Signalbox this is."""
    try:
        return f"signalbox {version('signalbox-console')}"
    except PackageNotFoundError:
        return "signalbox"


def _exit_code(error: SystemExit) -> tuple[int, dict[str, Any]]:
    if error.code is None or error.code == 0:
        return 0, {}
    code = error.code if isinstance(error.code, int) else 1
    return code, {"status": "failed", "error_code": "SystemExit", "message": text_of(error.code)}
