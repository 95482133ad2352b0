"""Actions of the caller of a request: each appends an event in the caller's name and records an audit."""

from __future__ import annotations

from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl

from msgspec import UNSET
from quart import redirect
from werkzeug.wrappers import Response as Redirect

from signalbox.store import Conflict, Event, NewEvent, SavedView
from signalbox.store.contract import ColdTask
from signalbox.store.errors import NotFound
from signalbox.store.events import MAX_REASON_CHARS
from signalbox.store.state import Task
from signalbox.store.traces.tasks import only_reports
from signalbox.webapp.auth.actor import AuditArguments, audit_arguments
from signalbox.webapp.auth.guard import principal, task_identity
from signalbox.webapp.auth.quota_guard import count_events
from signalbox.webapp.current import store
from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.form_posts import sent_key
from signalbox.webapp.http.refusals import Forbidden
from signalbox.webapp.http.return_path import referring_path


async def act(
    task_id: str,
    event_type: str,
    *,
    span_id: str | None = None,
    key: str | None = None,
    identity: str | None = None,
    value: Any = UNSET,
    **fields: Any,
) -> Event:
    """Append an event in the caller's name, with its audit; with `identity`, only to the task with that identity.

    Fields that are None are left out; `value` may be null, and UNSET leaves it out. A request that is sent again with
    the same `Idempotency-Key` acts once. Raises UnknownTask or Conflict.
    """
    by = await audit_arguments()
    payload = {name: given for name, given in fields.items() if given is not None} | {"by": by["actor"].name}
    if value is not UNSET:
        payload["value"] = value
    key = key or sent_key(event_type)
    count_events(1)
    event = NewEvent(event_type=event_type, actor="user", span_id=span_id, payload=payload, key=key)
    return await store().aappend_audited(task_id, event, action=event_type, identity=identity or task_identity(), **by)


async def audit(action: str, task_id: str, **detail: Any) -> None:
    """Record an audit of an action that appends no event."""
    kept = {name: value for name, value in detail.items() if value is not None}
    await store().aaudit(action=action, task_id=task_id, detail=kept, **await audit_arguments())


async def request_cancel(
    task_id: str, reason: str | None, identity: str | None = None, *, form: str | None = None
) -> Event:
    """Ask a run to stop; a second request is more forceful. Raises UnknownTask, TaskReplaced, or Conflict if it ended
    or nothing listens.

    With `identity`, only the task with that identity is asked. `form` identifies the form that sent the request: the
    same form asks once.
    """
    task = await listening_task(task_id)
    if task.ended:
        raise Conflict(f"the run has ended: it is {task.status}")
    key = await form_key("cancel", form) if form else None
    return await act(task_id, "cancel_requested", key=key, identity=identity, reason=reason)


async def listening_task(task_id: str) -> Task:
    """Return a task whose program may read requests and messages. Raises UnknownTask, and Conflict for a trace."""
    async with store().glance() as view:
        task = await view.task(task_id)
    if only_reports(task):
        raise Conflict(
            "nothing listens: this task is a trace or a log of OpenTelemetry, whose program only sends spans and"
            " records; a program that `signalbox run` starts can be asked"
        )
    return task


async def form_key(act_name: str, form: str, *texts: str) -> str:
    """Return the idempotency key of an act of the caller with this form."""
    who = (await audit_arguments())["actor"].name
    digest = sha256("\0".join((form, who, *texts)).encode()).hexdigest()
    return f"signalbox:form:{act_name}:{digest}"


async def archive_task(task_id: str, archived: bool, identity: str | None = None) -> Task:
    """Archive a task or restore it; with `identity`, only the task with that identity. Raises UnknownTask."""
    return await store().aarchive_task(
        task_id, archived, identity=identity or task_identity(), **await audit_arguments()
    )


async def hold_task(task_id: str, reason: str | None, identity: str | None = None) -> Task:
    """Hold a task for a reason, or release it if `reason` is None. `identity` as for `archive_task`.

    Raises UnknownTask, BadRequest and InvalidEvent.
    """
    return await store().ahold_task(task_id, reason, identity=identity or task_identity(), **await audit_arguments())


async def move_to_cold_storage(task_id: str) -> ColdTask:
    """Move a task that ended to cold storage. Raises UnknownTask, Conflict and InvalidEvent."""
    return await store().cold.amove(task_id, identity=task_identity(), **await audit_arguments())


async def restore_from_cold_storage(task_id: str) -> bool:
    """Bring a task back to the database. Return whether it was in cold storage. Raises UnknownTask."""
    return await store().cold.arestore(task_id, identity=task_identity(), **await audit_arguments())


async def delete_task(task_id: str, identity: str | None = None) -> Task:
    """Delete a task with its log, and return the task. `identity` as for `archive_task`.

    Raises UnknownTask, or Conflict while the run is active.
    """
    return await store().adelete_task(
        task_id, identity=identity or task_identity(), later=True, **await audit_arguments()
    )


async def save_view(name: str, filters: str, *, prefix: str = "") -> SavedView:
    """Save filters under a name, for one project, or for all projects if the caller has `respond` in all of them.

    `prefix` is stored before the filters: without one, they are filters of the task list.

    Raises Forbidden, BadRequest, InvalidEvent or Conflict.
    """
    by, mine = await _responder(), (await principal()).projects("respond")
    named = dict(parse_qsl(filters)).get("project")
    if mine is None or named in mine:
        project_id = named
    elif named is None and len(mine) == 1:
        project_id = mine[0]
    else:
        raise BadRequest(f"a view belongs to a project: first filter by one of {', '.join(mine)}", "filters")
    return await store().asave_view(name, prefix + filters, project_id=project_id, **by)


async def delete_view(view_id: int) -> SavedView:
    """Delete a saved view. Raises NotFound if the caller does not see it, Forbidden if they may not delete it."""
    by, who = await _responder(), await principal()
    async with store().glance() as view:
        found = [one for one in await view.saved_views(who.projects("read")) if one.view_id == view_id]
    if not found:
        raise NotFound(f"there is no saved view {view_id}")
    project_id, mine = found[0].project_id, who.projects("respond")
    if mine is not None and (project_id is None or project_id not in mine):
        raise Forbidden(who.name, "respond", project_id)
    return await store().adelete_view(view_id, **by)


async def _responder() -> AuditArguments:
    """Return the caller, if they may answer and cancel runs in any project. Raises Forbidden."""
    who = await principal()
    if who.projects("respond") == ():
        raise Forbidden(who.name, "respond", None)
    return await audit_arguments()


def checked_reason(text: str | None) -> str | None:
    """Return the given reason; None if it is empty. Raises BadRequest if it is too long."""
    text = (text or "").strip()
    if len(text) > MAX_REASON_CHARS:
        raise BadRequest(f"reason must have at most {MAX_REASON_CHARS} characters, not {len(text)}", "reason")
    return text or None


def redirect_back(fallback: str) -> Redirect:
    """Redirect to the page with the form, or to the path `fallback` if that page is not known."""
    return redirect(referring_path(fallback), 303)
