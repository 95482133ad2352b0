"""`signalbox run`: runs any command as a task."""

from __future__ import annotations

import asyncio
import os
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import click

from signalbox.store import Conflict, StoreError, Who
from signalbox.store.emitter.run import HEARTBEAT_INTERVAL
from signalbox.store.events import new_id
from signalbox.store.identity import Reference, check_identity, parse_reference
from signalbox.store.log import Log, Remote, link_retry, task_of
from signalbox.store.reserved import check_kind, is_reserved_kind
from signalbox.store.state import Task
from signalbox.webapp.cli.artifact import store_artifacts
from signalbox.webapp.cli.budget import budget_options, parsed_budget
from signalbox.webapp.cli.labels import LabelOptions, label_options
from signalbox.webapp.cli.people_store import system_user
from signalbox.webapp.cli.target import (
    Target,
    check_project,
    heartbeat_option,
    message_of,
    named_task,
    project_option,
    target,
    target_options,
)
from signalbox.webapp.process.command import Options, run_command
from signalbox.webapp.process.notice import notice
from signalbox.webapp.process.run_facts import readable_command, title_of
from signalbox.webapp.views.retries import next_attempt_metadata

KIND = "command"

GRACE = 5.0

CALL_TIMEOUT_S = 1.0
"""Seconds that one call waits for a server."""


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@target_options
@project_option
@click.option("--task", metavar="ID", help="The id of the task. If it exists, it is continued.  [default: a new one]")
@click.option("--title", help="[default: the command line]")
@click.option("--kind", metavar="NAME", help=f"The kind of the task.  [default: {KIND}]")
@click.option("--retry-of", metavar="ID", help="The task of which this run is a retry.")
@click.option(
    "--env",
    "names",
    metavar="NAME",
    multiple=True,
    help="An environment variable to record for a retry; repeatable.",
)
@label_options
@click.option(
    "--artifact", "artifacts", metavar="PATH", multiple=True, help="A file or pattern to store after the end."
)
@budget_options
@click.option("--identity", hidden=True, help="The identity that the task must have: see Task.identity.")
@click.option("--no-tty", is_flag=True, help="Give the command pipes instead of terminals.")
@click.option(
    "--merge", is_flag=True, help="Give the command one terminal for output and errors, so that they keep their order."
)
@click.option(
    "--grace",
    type=click.FloatRange(0, 3600),
    default=GRACE,
    show_default=True,
    help="Seconds between SIGINT, SIGTERM and SIGKILL when the command is stopped.",
)
@heartbeat_option
@click.option(
    "--time-limit",
    metavar="SECONDS",
    type=click.FloatRange(0, 30 * 86400, min_open=True),
    help="Stop the command after this time; the task then counts as failed.  [default: none]",
)
@click.option("--no-resources", is_flag=True, help="Do not record the CPU and the memory of the command.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(
    store: str | None,
    server: str | None,
    token: str | None,
    project: str | None,
    task: str | None,
    title: str | None,
    kind: str | None,
    retry_of: str | None,
    names: tuple[str, ...],
    tags: tuple[str, ...],
    links: tuple[str, ...],
    artifacts: tuple[str, ...],
    budget: str | None,
    cancel_over_budget: bool,
    identity: str | None,
    no_tty: bool,
    merge: bool,
    grace: float,
    heartbeat: float,
    time_limit: float | None,
    no_resources: bool,
    command: tuple[str, ...],
) -> int:
    """Run COMMAND as a task. Its output becomes the log. Its exit code ends the task and is that of `signalbox run`.

    Ctrl-C, or a cancel on the page, stops the command: first with SIGINT, then with SIGTERM, then with SIGKILL.
    """
    if not _has_directory():
        raise click.UsageError("the command was not started: the current directory was deleted")
    chosen = target(store, server, token)
    reference = named_task(task, chosen) if task else Reference(new_id(), None)
    labels = LabelOptions.parsed(tags, links)
    limit = parsed_budget(budget, cancel_over_budget)
    own = TaskOptions(title, kind, retry_of, project, labels, identity or reference.identity, limit, artifacts)
    options = Options(
        terminals=not no_tty,
        merge=merge,
        grace=grace,
        heartbeat_interval=heartbeat,
        environment=chosen.environment(),
        recorded_variables=recorded_variables(names),
        retry_options=_retry_options(
            chosen, names, artifacts, no_tty, merge, grace, heartbeat, time_limit, no_resources
        ),
        time_limit=time_limit,
        resources=not no_resources,
    )
    return asyncio.run(_run(chosen, reference.task_id, own, list(command), options))


class TaskOptions(NamedTuple):
    """The fields of the task of a run. A field that is None is taken from the earlier run or from the command.

    With `identity` the task exists already, and must be the one with this identity.
    """

    title: str | None
    kind: str | None
    retry_of: str | None
    project: str | None
    labels: LabelOptions = LabelOptions({}, {})
    identity: str | None = None
    budget: dict[str, Any] | None = None
    artifacts: tuple[str, ...] = ()


def recorded_variables(names: tuple[str, ...]) -> dict[str, str]:
    """Return the values of the variables that a retry needs. Raises UsageError if one is not set."""
    missing = [name for name in names if name not in os.environ]
    if missing:
        raise click.UsageError(f"--env names a variable that is not set: {missing[0]}")
    return {name: os.environ[name].encode(errors="replace").decode() for name in names}


def without_login(url: str) -> str:
    """Return a server's URL without user name and password, so that it can be logged."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""  # opening the server reports the error
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _retry_options(
    chosen: Target,
    names: tuple[str, ...],
    artifacts: tuple[str, ...],
    no_tty: bool,
    merge: bool,
    grace: float,
    heartbeat: float,
    time_limit: float | None,
    no_resources: bool,
) -> tuple[str, ...]:
    """Return the options that a retry of this run needs."""
    words = ["--server", without_login(chosen.server)] if chosen.server else []
    words += [word for name in names for word in ("--env", name)]
    words += [word for path in artifacts for word in ("--artifact", path)]
    words += ["--no-tty"] if no_tty else []
    words += ["--merge"] if merge else []
    words += ["--grace", f"{grace:g}"] if grace != GRACE else []
    words += ["--heartbeat", f"{heartbeat:g}"] if heartbeat != HEARTBEAT_INTERVAL else []
    words += ["--time-limit", f"{time_limit:g}"] if time_limit is not None else []
    words += ["--no-resources"] if no_resources else []
    return tuple(words)


async def _run(chosen: Target, task_id: str, task_options: TaskOptions, command: list[str], options: Options) -> int:
    try:
        log = chosen.open(patience=CALL_TIMEOUT_S, spool=True)
    except StoreError as error:
        raise _not_started(error) from None
    if isinstance(log, Remote):
        log.set_notice(notice)
    try:
        task = await _task(log, task_id, task_options, command)
    except StoreError as error:
        await log.aclose()
        raise _not_started(error) from None
    try:
        return await run_command(
            log, task, command, options, lambda present: store_artifacts(present, task, task_options.artifacts)
        )
    finally:
        await log.aclose()


async def _task(log: Log, chosen: str, task_options: TaskOptions, command: list[str]) -> Task:
    """Open the task of the run, linked to the task of which it is a retry. Raises StoreError."""
    words, first = readable_command(command), None
    metadata: dict[str, object] = {"command": words}
    if task_options.retry_of:
        earlier = parse_reference(task_options.retry_of, "retry_of")
        first = await task_of(log, earlier.task_id)
        check_identity(earlier.task_id, earlier.identity, first.identity)
        if not first.ended:
            raise Conflict(f"{first.task_id} has not ended: it is {first.status}")
        metadata = next_attempt_metadata(first, words)
        if chosen not in first.retries:
            await link_retry(log, first, chosen, Who(system_user()), "command")
    title = task_options.title or (first.title if first else None) or title_of(command)
    check_kind(task_options.kind)
    inherited = first.kind if first and not is_reserved_kind(first.kind) else None
    kind = task_options.kind or inherited or KIND
    project = task_options.project or (first.project_id if first else None)
    if task_options.identity is not None:
        task = await task_of(log, chosen)
        check_identity(chosen, task_options.identity, task.identity)
    else:
        metadata |= {"budget": task_options.budget} if task_options.budget else {}
        metadata = task_options.labels.added_to(metadata)
        task, _ = await log.acreate_task(chosen, title=title, kind=kind, metadata=metadata, project_id=project)
        check_project(task, task_options.project)
    if missing := task_options.labels.missing_in(task):
        await log.aappend(chosen, missing, identity=task.identity)
    return task


def _has_directory() -> bool:
    try:
        return bool(os.getcwd())
    except OSError:
        return False


def _not_started(error: StoreError) -> click.UsageError:
    return click.UsageError(f"the command was not started: {message_of(error)}")
