"""Starts a retry of a run for the caller of a request."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import msgspec

from signalbox.store import Conflict
from signalbox.store.events import check_task_id, new_id
from signalbox.store.identity import check_identity
from signalbox.store.state import Task
from signalbox.webapp.acts.user_actions import act
from signalbox.webapp.agents.adoption import KIND as AGENT
from signalbox.webapp.agents.commands import environment_for
from signalbox.webapp.current import settings, store
from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.process import detached_run
from signalbox.webapp.process.signature import CommandLine
from signalbox.webapp.views.retries import next_attempt_metadata, offer_of


def retry_key() -> bytes | None:
    """Return the key that signs the commands that this server may start; None if it may start none."""
    return store().key if settings().allow_retry else None


async def retry_run(task_id: str, form: str | None, identity: str | None = None) -> str:
    """Run a task's command again as another task, and return its id. A `form` that is sent twice starts one task.

    With `identity`, only the task with that identity is retried. Raises UnknownTask, TaskReplaced, or Conflict if no
    command can or may be run again.
    """
    if form is not None and not (form.isascii() and form.isdigit() and len(form) <= 16):
        raise BadRequest(f"form must be the number that the page gave, not {form[:40]!r}", "form")
    async with store().read() as view:
        task = await view.task(task_id)
        check_identity(task_id, identity, task.identity)
        offer = await offer_of(view, task, retry_key())
    if not task.ended:
        raise Conflict(f"the run has not ended: it is {task.status}")
    if offer is None:
        raise Conflict("there is no command to run again: `signalbox run` did not start this run")
    if not offer.trusted:
        raise Conflict(f"this server does not run that command: {untrusted_reason()}")
    line = await _with_environment(offer.line, task)
    if reason := detached_run.reason_not_to_start(line):
        raise Conflict(reason)
    key = f"retry-{form}" if form else None
    retry_request = await act(task_id, "retry_requested", key=key, identity=task.identity, retry=new_id())
    # The request of a form that was sent before has the id of its task, which may not have been created.
    retry_id = check_task_id(retry_request.payload.get("retry"))
    metadata = next_attempt_metadata(task, list(line.command))
    retried, created = await store().acreate_task(
        retry_id, title=task.title, kind=task.kind, metadata=metadata, project_id=task.project_id
    )
    if created:
        await _start(retried, task, line)
    return retry_id


def untrusted_reason() -> str:
    """Return the reason why this server does not trust a command and therefore does not run it."""
    if not settings().allow_retry:
        return "the setting allow_retry is off"
    if store().key is None:
        return "other users of this machine can read the database, so a signature proves nothing"
    return "it was not signed by `signalbox run` on this store"


async def _with_environment(line: CommandLine, task: Task) -> CommandLine:
    """Add the environment of an agent's command from its project, because logs do not contain it."""
    if task.kind != AGENT:
        return line
    project = await store().people.project(task.project_id)
    own = environment_for(line, project.agent if project else None)
    return msgspec.structs.replace(line, environment=own | line.environment)


async def _start(task: Task, retry_of: Task, line: CommandLine) -> None:
    loop, opened = asyncio.get_running_loop(), store()

    def on_exit(code: int) -> None:
        # The loop is closed if the server has stopped meanwhile.
        with suppress(RuntimeError):
            asyncio.run_coroutine_threadsafe(detached_run.fail_if_not_started(opened, task, code), loop)

    try:
        await asyncio.to_thread(detached_run.start, opened, task, retry_of, line, on_exit)
    except OSError as error:
        await detached_run.mark_not_started(opened, task, f"it could not be started: {error.strerror}")
