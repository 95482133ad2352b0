"""`signalbox run`: any command as a task."""

from __future__ import annotations

import asyncio
import sys

import click

from store import StoreError
from webapp.cli.target import Target, target, target_options

FIRST_PATIENCE = 3.0
"""Seconds to wait for a server before the command is not even started."""


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
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(
    store: str | None,
    server: str | None,
    task: str | None,
    title: str | None,
    kind: str,
    no_tty: bool,
    grace: float,
    command: tuple[str, ...],
) -> int:
    """Run COMMAND as a task: its output becomes the log, its exit code the task's end, and this command's own.

    Ctrl-C, and a cancel from the page, stop it: politely first, then with SIGTERM and SIGKILL.
    """
    chosen = target(store, server)
    try:
        return asyncio.run(_run(chosen, task, title, kind, not no_tty, grace, list(command)))
    except StoreError as error:
        raise click.UsageError(f"the command was not started: {error}") from None


async def _run(
    chosen: Target, task_id: str | None, title: str | None, kind: str, tty: bool, grace: float, command: list[str]
) -> int:
    from webapp.process.command import Options, readable_command, run_command, title_of

    log = chosen.open(patience=FIRST_PATIENCE)
    try:
        words = readable_command(command)
        task, _ = await log.acreate_task(
            task_id, title=title or title_of(command), kind=kind, metadata={"command": words}
        )
        environment = {**chosen.environment(), "SIGNALBOX_TASK": task.task_id}
        options = Options(terminals=tty, grace=grace, environment=environment)
        return await run_command(log, task, command, options)
    finally:
        sys.stderr.flush()
        await log.aclose()
