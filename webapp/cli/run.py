"""`signalbox run`: any command as a task."""

from __future__ import annotations

import asyncio
import os
from typing import NamedTuple
from urllib.parse import urlsplit

import click

from signalbox.store import Conflict, StoreError, Who
from signalbox.store.emitter.run import HEARTBEAT_INTERVAL
from signalbox.store.events import check_task_id, new_id
from signalbox.store.log import Log, link_retry, task_of
from signalbox.store.reserved import check_kind, is_reserved_kind
from signalbox.store.state import Task
from signalbox.webapp.cli.people_store import system_user
from signalbox.webapp.cli.target import (
    Target,
    check_project,
    heartbeat_option,
    message_of,
    project_option,
    target,
    target_options,
)
from signalbox.webapp.process.command import Options, run_command
from signalbox.webapp.process.run_facts import readable_command, title_of
from signalbox.webapp.views.retries import next_try

KIND = "command"

GRACE = 5.0

FIRST_PATIENCE = 1.0
"""Seconds that one call waits for a server: at the start before we give up, later before the person is told."""


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@target_options
@project_option
@click.option("--task", metavar="ID", help="The task's id; one that exists is continued.  [default: a new one]")
@click.option("--title", help="[default: the command line]")
@click.option("--kind", metavar="NAME", help=f"What kind of run this is.  [default: {KIND}]")
@click.option("--retry-of", metavar="ID", help="The task that this is another try of.")
@click.option(
    "--env",
    "names",
    metavar="NAME",
    multiple=True,
    help="A variable whose value is recorded, for another try; repeatable.",
)
@click.option("--no-tty", is_flag=True, help="Give the command pipes instead of terminals.")
@click.option("--merge", is_flag=True, help="Give the command one terminal for output and errors: their exact order.")
@click.option(
    "--grace",
    type=click.FloatRange(0, 3600),
    default=GRACE,
    show_default=True,
    help="Seconds between a polite stop, SIGTERM and SIGKILL.",
)
@heartbeat_option
@click.option(
    "--time-limit",
    metavar="SECONDS",
    type=click.FloatRange(0, 30 * 86400, min_open=True),
    help="Stop it after so long; the task has failed then.  [default: none]",
)
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
    no_tty: bool,
    merge: bool,
    grace: float,
    heartbeat: float,
    time_limit: float | None,
    command: tuple[str, ...],
) -> int:
    """Run COMMAND as a task: its output becomes the log, its exit code the task's end, and this command's own.

    Ctrl-C, and a cancel from the page, stop it: politely first, then with SIGTERM and SIGKILL.
    """
    chosen = target(store, server, token)
    options = Options(
        terminals=not no_tty,
        merge=merge,
        grace=grace,
        heartbeat_interval=heartbeat,
        environment=chosen.environment(),
        kept=kept(names),
        words=_words(chosen, names, no_tty, merge, grace, heartbeat, time_limit),
        time_limit=time_limit,
    )
    return asyncio.run(_run(chosen, task, TaskOptions(title, kind, retry_of, project), list(command), options))


class TaskOptions(NamedTuple):
    """The fields of the task of a run. A field that is None is taken from the earlier try or from the command."""

    title: str | None
    kind: str | None
    retry_of: str | None
    project: str | None


def kept(names: tuple[str, ...]) -> dict[str, str]:
    """The variables that another try needs. Raises UsageError for one that is not set."""
    missing = [name for name in names if name not in os.environ]
    if missing:
        raise click.UsageError(f"--env names a variable that is not set: {missing[0]}")
    return {name: os.environ[name].encode(errors="replace").decode() for name in names}


def without_login(url: str) -> str:
    """A server's URL as it may stand in a log: without a name and a password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""  # to open it says what is wrong
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _words(
    chosen: Target,
    names: tuple[str, ...],
    no_tty: bool,
    merge: bool,
    grace: float,
    heartbeat: float,
    time_limit: float | None,
) -> tuple[str, ...]:
    """The options that another try of the same run has to have."""
    words = ["--server", without_login(chosen.server)] if chosen.server else []
    words += [word for name in names for word in ("--env", name)]
    words += ["--no-tty"] if no_tty else []
    words += ["--merge"] if merge else []
    words += ["--grace", f"{grace:g}"] if grace != GRACE else []
    words += ["--heartbeat", f"{heartbeat:g}"] if heartbeat != HEARTBEAT_INTERVAL else []
    words += ["--time-limit", f"{time_limit:g}"] if time_limit is not None else []
    return tuple(words)


async def _run(
    chosen: Target, task_id: str | None, task_options: TaskOptions, command: list[str], options: Options
) -> int:
    try:
        log = chosen.open(patience=FIRST_PATIENCE)
    except StoreError as error:
        raise _not_started(error) from None
    try:
        task = await _task(log, task_id, task_options, command)
    except StoreError as error:
        await log.aclose()
        raise _not_started(error) from None
    try:
        return await run_command(log, task, command, options)
    finally:
        await log.aclose()


async def _task(log: Log, task_id: str | None, task_options: TaskOptions, command: list[str]) -> Task:
    """The task of the run, linked with the one that it is another try of. Raises StoreError."""
    words, first, chosen = readable_command(command), None, check_task_id(task_id or new_id())
    metadata: dict[str, object] = {"command": words}
    if task_options.retry_of:
        first = await task_of(log, check_task_id(task_options.retry_of))
        if not first.ended:
            raise Conflict(f"{first.task_id} goes on: it is {first.status}")
        metadata = next_try(first, words)
        if chosen not in first.retries:
            await link_retry(log, first.task_id, chosen, Who(system_user()), "command")
    title = task_options.title or (first.title if first else None) or title_of(command)
    check_kind(task_options.kind)
    inherited = first.kind if first and not is_reserved_kind(first.kind) else None
    kind = task_options.kind or inherited or KIND
    project = task_options.project or (first.project_id if first else None)
    task, _ = await log.acreate_task(chosen, title=title, kind=kind, metadata=metadata, project_id=project)
    check_project(task, task_options.project)
    return task


def _not_started(error: StoreError) -> click.UsageError:
    return click.UsageError(f"the command was not started: {message_of(error)}")
