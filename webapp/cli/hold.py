"""`signalbox hold`: keeps a task from being deleted or moved, from a shell on the server's machine."""

from __future__ import annotations

import click

from signalbox.webapp.cli.people_store import people_store
from signalbox.webapp.cli.target import named_task, store_option, target


@click.command()
@click.argument("task")
@click.option("--reason", help="Why the task is held. The page and the audit log show it.")
@click.option("--release", is_flag=True, help="Release the hold.")
@store_option
def hold(task: str, reason: str | None, release: bool, store: str | None) -> None:
    """Put a hold on TASK, or release it.

    A held task is neither deleted, by a rule or by a person, nor moved to cold storage. TASK is an id, or ID@IDENTITY.
    """
    if (reason is None) != release:
        raise click.UsageError("give either --reason TEXT or --release")
    task_id, identity = named_task(task, target(store))
    with people_store(store) as opened:
        opened.store.hold_task(task_id, reason, identity=identity, **opened.audit)
    click.echo(f"{task_id} is {'no longer held' if release else 'held'}")
