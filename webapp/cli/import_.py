"""`signalbox import`: a run that was exported, back in a store."""

from __future__ import annotations

from typing import BinaryIO

import click
import msgspec

from signalbox.store import open_store
from signalbox.webapp.cli.target import project_option, store_option, target
from signalbox.webapp.export import ndjson


@click.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--as", "task_id", metavar="ID", help="The id of the new task.  [default: the one that it had]")
@project_option
@store_option
def import_(file: BinaryIO, task_id: str | None, project: str | None, store: str | None) -> None:
    """Restore the task of an NDJSON export from FILE; - reads standard input.

    Seqs, times and keys are what they were. It is all of it or nothing, and never a task that is there already.
    """
    record, events = ndjson.read(file)
    if task_id is not None:
        record = msgspec.structs.replace(record, task_id=task_id)
    opened = open_store(target(store, None).store)
    try:
        task = opened.import_task(record, events, project)
    finally:
        opened.close()
    click.echo(f"{task.task_id}: {task.latest_seq} events, {task.status}")
