"""`open_task` and the run that it returns, from its spawn to its exit."""

from __future__ import annotations

import asyncio
import os
import platform
import traceback
from collections.abc import Awaitable, Mapping
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Any

from signalbox.store.emitter.current import CurrentRun, innermost_run
from signalbox.store.emitter.emitters import AsyncEmitter, Emitter
from signalbox.store.emitter.failure import failure
from signalbox.store.emitter.fit_labels import labelled
from signalbox.store.emitter.fit_payload import fitting_object, text_of, word
from signalbox.store.emitter.lifeline import Lifeline
from signalbox.store.emitter.scope import SpanScope
from signalbox.store.emitter.steps import Branch, innermost
from signalbox.store.emitter.vocabulary import R, Vocabulary
from signalbox.store.events import MAX_TITLE_CHARS, Event, check_task_id, new_span_id
from signalbox.store.identity import reference_to
from signalbox.store.log import Log
from signalbox.store.people import PROJECT_VARIABLE
from signalbox.store.reserved import check_kind
from signalbox.store.state import Task
from signalbox.store.times import now
from signalbox.store.trace_context import trace_variables, traceparent_of

HEARTBEAT_INTERVAL = 10.0
"""Seconds without an event after which a run appends a heartbeat."""

MAX_TRACEBACK_CHARS = 16_000
"""Characters of a traceback to log. The end is kept, because it names the error."""


class Run(Branch[R]):
    """The handle of a running task, returned by `open_task`.

    Its methods emit events for the innermost phase or work item that is open around the caller in this thread or
    asyncio task.
    """

    lifeline: Lifeline

    def __init__(
        self, emitter: Vocabulary[R], task: Task, span_id: str, lifeline: Lifeline, *, synchronous: bool
    ) -> None:
        self.task_id = task.task_id
        self.reference = reference_to(task)
        self.synchronous = synchronous
        self.lifeline = lifeline
        self._emitter = emitter
        self._cancel_seen = False
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
        """Whether this run was asked to stop. A run that has read True here is recorded as cancelled when it ends."""
        self._cancel_seen = self._cancel_seen or self.lifeline.cancelled
        return self._cancel_seen

    @property
    def traceparent(self) -> str:
        """The `traceparent` header of W3C Trace Context for work within the innermost open step of this run."""
        return traceparent_of(self.task_id, self.here.span_id)

    def trace_variables(self, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Return the variables for a program whose OpenTelemetry spans belong to this task.

            subprocess.run(command, env=os.environ | task.trace_variables())

        `environ` is the environment of that program without them.
        """
        return trace_variables(self.reference, self.here.span_id, environ)

    def check_mode(self, *, synchronous: bool) -> None:
        """Raise TypeError if `with` and `async with` are mixed."""
        if synchronous != self.synchronous:
            word = "with" if self.synchronous else "async with"
            raise TypeError(f"this task was opened with `{word}`, so its steps must be too")

    def exit(self, error: BaseException | None) -> R:
        """Append the `runner_exit` of a run that ended normally or with `error`."""
        code, fields = 0, failure(error)
        if isinstance(error, KeyboardInterrupt | asyncio.CancelledError):
            code, fields = 130, {"status": "cancelled", "message": "cancelled"}
        elif isinstance(error, SystemExit):
            code, fields = _exit_code(error)
        elif error is not None and self._cancel_seen:
            code, fields = 1, {**fields, "status": "cancelled"}
        elif error is not None:
            trace = "".join(traceback.format_exception(error))
            code, fields = 1, {"status": "failed", **fields, "traceback": trace[-MAX_TRACEBACK_CHARS:]}
        elif self._cancel_seen:
            fields = {"status": "cancelled", "message": "stopped on request"}
        return self._emitter.emit_runner_exit(self.task_id, self.span_id, code, **fields)


class open_task:
    """Run a task: `with open_task(store, "nightly", title="Nightly build") as task:`, or with `async with`.

    Creates the task if it does not exist, appends `runner_spawn`, emits heartbeats, and at the end of the block appends
    `runner_exit`: done, failed with the exception, or cancelled (KeyboardInterrupt, asyncio's cancellation). `log` is a
    store or a `RemoteLog`. Without `task_id` the task gets a new id. A new task belongs to `project_id`, by default to
    the project that the variable `SIGNALBOX_PROJECT` names. `tags` such as `{"branch": "main"}` and `links` such as
    `{"pull request": "https://…"}` are added to the task, new or not. Further keywords become fields of the payload of
    `runner_spawn`.

    Emitting never ends the program: values that the log cannot hold are converted or cut. With `strict` they raise
    InvalidEvent instead.

    If the task is deleted meanwhile, later events are dropped, and never go to another task that gets the id. With
    `strict` they raise UnknownTask. With `identity` (and `task_id`) the task must exist with this identity, and is
    never created: for programs that get both from `SIGNALBOX_TASK` and `SIGNALBOX_TASK_IDENTITY`.
    """

    def __init__(
        self,
        log: Log,
        task_id: str | None = None,
        *,
        title: str | None = None,
        kind: str | None = None,
        metadata: dict[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
        links: Mapping[str, str] | None = None,
        project_id: str | None = None,
        identity: str | None = None,
        runner_version: str | None = None,
        heartbeat_interval: float = HEARTBEAT_INTERVAL,
        strict: bool = False,
        **spawn: Any,
    ) -> None:
        check_kind(kind)
        self._log, self._strict = log, strict
        if not strict:
            title, kind = word(title, MAX_TITLE_CHARS), word(kind)
            metadata = fitting_object(metadata) if metadata else None
        metadata = labelled(metadata, tags, links, strict=strict)
        self._labels = labelled(None, tags, links, strict=strict) or {}
        self._task: dict[str, Any] = {
            "task_id": task_id,
            "title": title,
            "kind": kind,
            "metadata": metadata,
            "project_id": project_id or os.environ.get(PROJECT_VARIABLE) or None,
        }
        self._known = _task_with(task_id, identity) if identity else None
        self._runner = (os.getpid(), runner_version or own_version())
        self._interval = heartbeat_interval
        self._spawn = {
            "host": platform.node() or None,
            "python": platform.python_version(),
            "heartbeat_interval": heartbeat_interval,
            **spawn,
        }

    def __enter__(self) -> Run[Event]:
        task = self._known or self._log.create_task(**self._task)[0]
        emitter = Emitter(self._log, strict=self._strict, task=task)
        spawned = emitter.emit_runner_spawn(task.task_id, new_span_id(), *self._runner, **self._spawn)
        self._add_labels(emitter, task)
        self._run = Run(emitter, task, spawned.span_id, self._lifeline(task, spawned), synchronous=True)
        self._step_in(self._run, task)
        return self._run

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._step_out()
        self._run.lifeline.stop()
        self._run.exit(error)

    async def __aenter__(self) -> Run[Awaitable[Event]]:
        task = self._known or (await self._log.acreate_task(**self._task))[0]
        emitter = AsyncEmitter(self._log, strict=self._strict, task=task)
        spawned = await emitter.emit_runner_spawn(task.task_id, new_span_id(), *self._runner, **self._spawn)
        for appended in self._add_labels(emitter, task):
            await appended
        self._arun = Run(emitter, task, spawned.span_id, self._lifeline(task, spawned), synchronous=False)
        self._step_in(self._arun, task)
        return self._arun

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._step_out()
        await asyncio.to_thread(self._arun.lifeline.stop)
        await self._arun.exit(error)

    def _step_in(self, run: Run[Any], task: Task) -> None:
        self._outer = innermost_run.get()
        self._current = CurrentRun(run, task.identity or None, self._log.url)
        innermost_run.set(self._current)

    def _step_out(self) -> None:
        # A run that ends in another context than it began in must not change that context.
        if innermost_run.get() is self._current:
            innermost_run.set(self._outer)

    def _add_labels(self, emitter: Vocabulary[R], task: Task) -> list[R]:
        """Append the tags and links that a task does not have, because it existed already."""
        tags = {name: tag for name, tag in self._labels.get("tags", {}).items() if task.tags.get(name) != tag}
        links = {name: url for name, url in self._labels.get("links", {}).items() if task.links.get(name) != url}
        appended = [emitter.emit_tags_changed(task.task_id, tags)] if tags else []
        return [*appended, emitter.emit_links_changed(task.task_id, links)] if links else appended

    def _lifeline(self, task: Task, spawned: Event) -> Lifeline:
        return Lifeline(self._log, task, spawned.span_id, spawned.seq or None, self._interval)


def _task_with(task_id: str | None, identity: str) -> Task:
    """Return a task of which only the id and the identity are known. Raises InvalidEvent."""
    at = now()
    return Task(task_id=check_task_id(task_id), identity=identity, main_span_id="", created_at=at, updated_at=at)


def own_version() -> str:
    """Return the name and version of this Signalbox."""
    try:
        return f"signalbox {version('signalbox-console')}"
    except PackageNotFoundError:
        return "signalbox"


def _exit_code(error: SystemExit) -> tuple[int, dict[str, Any]]:
    if error.code is None or error.code == 0:
        return 0, {}
    code = error.code if isinstance(error.code, int) else 1
    return code, {"status": "failed", "error_code": "SystemExit", "message": text_of(error.code)}
