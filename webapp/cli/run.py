"""`signalbox run`: any command as a task."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from store import StoreError
from webapp.cli.target import Target, target, target_options
from webapp.process.command import Options, run_command
from webapp.process.facts import readable_command, title_of

FIRST_PATIENCE = 1.0
"""Seconds that one call waits for a server: at the start before we give up, later before the person is told."""


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@target_options
@click.option("--task", metavar="ID", help="The task's id; one that exists is continued.  [default: a new one]")
@click.option("--title", help="[default: the command line]")
@click.option("--kind", metavar="NAME", default="command", show_default=True, help="What kind of run this is.")
@click.option("--no-tty", is_flag=True, help="Give the command pipes instead of terminals.")
@click.option(
    "--grace",
    type=click.FloatRange(0, 3600),
    default=5.0,
    show_default=True,
    help="Seconds between a polite stop, SIGTERM and SIGKILL.",
)
@click.option(
    "--heartbeat",
    type=click.FloatRange(0.1, 3600),
    default=10.0,
    show_default=True,
    help="Seconds of silence after which the run says that it is alive.",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(
    store: str | None,
    server: str | None,
    task: str | None,
    title: str | None,
    kind: str,
    no_tty: bool,
    grace: float,
    heartbeat: float,
    command: tuple[str, ...],
) -> int:
    """Run COMMAND as a task: its output becomes the log, its exit code the task's end, and this command's own.

    Ctrl-C, and a cancel from the page, stop it: politely first, then with SIGTERM and SIGKILL.
    """
    chosen = target(store, server)
    options = Options(terminals=not no_tty, grace=grace, heartbeat_interval=heartbeat, environment=chosen.environment())
    words = readable_command(list(command))
    identity = {"title": title or title_of(list(command)), "kind": kind, "metadata": {"command": words}}
    return asyncio.run(_run(chosen, task, identity, list(command), options))


async def _run(
    chosen: Target, task_id: str | None, identity: dict[str, Any], command: list[str], options: Options
) -> int:
    try:
        log = chosen.open(patience=FIRST_PATIENCE)
    except StoreError as error:
        raise _not_started(error) from None
    try:
        task, _ = await log.acreate_task(task_id, **identity)
    except StoreError as error:
        await log.aclose()
        raise _not_started(error) from None
    try:
        return await run_command(log, task, command, options)
    finally:
        await log.aclose()


def _not_started(error: StoreError) -> click.UsageError:
    return click.UsageError(f"the command was not started: {error}")
