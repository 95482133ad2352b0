"""Finds, or creates, the task of a trace or of a service's log, within the rights of the caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from signalbox.store import UnknownTask
from signalbox.store.contract.values import TaskPage
from signalbox.store.emitter.fit_payload import fitting_object
from signalbox.store.identity import Reference
from signalbox.store.people import DEFAULT_PROJECT, Scope
from signalbox.store.reserved import is_reserved_kind
from signalbox.store.state import Task
from signalbox.store.task_query import TaskQuery
from signalbox.store.trace_context import PROJECT_ATTRIBUTE, TASK_ATTRIBUTE, named_task, task_with_trace
from signalbox.store.traces import task_id_of_logs, task_id_of_trace
from signalbox.store.traces.tasks import METADATA_KEY, service_of, title_of_logs
from signalbox.webapp.auth.guard import directory, principal, project_for_new
from signalbox.webapp.auth.principal import Principal
from signalbox.webapp.current import redaction_on_write, settings, store
from signalbox.webapp.http.refusals import Forbidden, UnknownProject

MAX_METADATA_BYTES = 16 * 1024


class TracePlace(NamedTuple):
    """The task of some spans."""

    task_id: str
    identity: str


class TraceSource(NamedTuple):
    """The origin of spans or log records that belong to one task.

    `resource` are the attributes of the program as JSON. `trace_id` is empty for log records outside of any trace.
    `named` is the reference to a task that a span itself has.
    """

    resource: bytes
    trace_id: str
    trace_state: str
    named: str

    @staticmethod
    def encoded(resource: Mapping[str, Any]) -> bytes:
        """Return a resource as JSON. All sources with this resource share it."""
        return msgspec.json.encode(fitting_object(dict(resource), MAX_METADATA_BYTES), order="sorted")

    @property
    def attributes(self) -> dict[str, Any]:
        """The resource as an object."""
        found: dict[str, Any] = msgspec.json.decode(self.resource)
        return found


class TraceTasks:
    """The tasks of the sources of one request."""

    REFUSALS = (Forbidden, UnknownProject)
    """The errors of `place_of` for sources that the caller may not write. Other sources are not affected."""

    def __init__(self) -> None:
        self._active: TaskPage | None = None

    async def place_of(self, source: TraceSource, *, fresh: bool = False) -> TracePlace:
        """Return the task of a source, which is created if it does not exist. Raises Forbidden and UnknownProject."""
        caller, resource = await principal(), source.attributes
        named = named_task({TASK_ATTRIBUTE: source.named}) or named_task(resource, source.trace_state)
        if named and (place := await self._existing(caller, named.task_id, named, fresh=True)):
            return place
        own = task_id_of_trace(source.trace_id) if source.trace_id else task_id_of_logs(resource)
        if place := await self._existing(caller, own, None, fresh=fresh):
            return place
        if source.trace_id and (place := await self._run_with_trace(caller, source.trace_id)):
            return place
        return await self._new(caller, own, source)

    async def _existing(
        self, caller: Principal, task_id: str, reference: Reference | None, *, fresh: bool
    ) -> TracePlace | None:
        """Return an existing task that the caller may write to, or None."""
        try:
            found = await directory().task_summary(task_id, fresh=fresh)
        except UnknownTask:
            return None
        if reference and reference.identity not in (None, found.identity):
            return None
        return TracePlace(task_id, found.identity) if _may_write(caller, found.project_id, found.kind) else None

    async def _run_with_trace(self, caller: Principal, trace_id: str) -> TracePlace | None:
        """Return the run that has handed its trace to the program, or None."""
        task = await task_with_trace(self, trace_id, caller.projects("emit"))
        if task is None or not _may_write(caller, task.project_id, task.kind):
            return None
        return TracePlace(task.task_id, task.identity)

    async def _new(self, caller: Principal, task_id: str, source: TraceSource) -> TracePlace:
        resource = source.attributes
        asked = resource.get(PROJECT_ATTRIBUTE)
        project = await project_for_new(asked if isinstance(asked, str) and asked else None)
        service, title = service_of(resource), None if source.trace_id else title_of_logs(resource)
        kind = settings().otlp_kind or (None if source.trace_id or is_reserved_kind(service) else service)
        hide = redaction_on_write()
        metadata = {METADATA_KEY: {"trace_id": source.trace_id} if source.trace_id else {"resource": resource}}
        task, _ = await store().acreate_task(
            task_id, title=hide.text(title), kind=kind, metadata=hide.value(metadata), project_id=project
        )
        if not _may_write(caller, task.project_id, task.kind):
            raise Forbidden(caller.name, "emit", None)
        return TracePlace(task_id, task.identity)

    # The reads for `task_with_trace`. The active tasks are read once for a request.

    async def task(self, task_id: str) -> Task:
        """Return a task. Raises UnknownTask."""
        async with store().read() as view:
            return await view.task(task_id)

    async def tasks(self, query: TaskQuery) -> TaskPage:
        """Return the active tasks of the caller's projects."""
        if self._active is None:
            async with store().read() as view:
                self._active = await view.tasks(query)
        return self._active


def _may_write(caller: Principal, project_id: str | None, kind: str | None) -> bool:
    """Return whether the caller may append to such a task. Those of the server's agents need the right to respond."""
    scope: Scope = "respond" if is_reserved_kind(kind) else "emit"
    return caller.may("emit", project_id or DEFAULT_PROJECT) and caller.may(scope, project_id or DEFAULT_PROJECT)
