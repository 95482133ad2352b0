"""`signalbox import`: restores an exported run into a store, or makes a run of files in another format."""

from __future__ import annotations

from typing import BinaryIO

import click
import msgspec

from signalbox.store import open_store
from signalbox.webapp.cli.import_junit import junit
from signalbox.webapp.cli.import_transcripts import claude_code, codex
from signalbox.webapp.cli.target import project_option, store_option, target
from signalbox.webapp.export import ndjson


class ImportGroup(click.Group):
    """A group whose default is the import of an export, so that `signalbox import FILE` needs no further word."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["export", *args]
        return super().parse_args(ctx, args)


@click.group("import", cls=ImportGroup)
def import_() -> None:
    """Restore an exported run, or make a run of files in another format.

    `signalbox import FILE` is short for `signalbox import export FILE`.
    """


for command in (junit, claude_code, codex):
    import_.add_command(command)


@import_.command()
@click.argument("file", type=click.File("rb"))
@click.option("--as", "task_id", metavar="ID", help="The id of the new task.  [default: its id in the export]")
@click.option("--new-links", is_flag=True, help="Do not check the links of the log; make new ones.")
@project_option
@store_option
def export(file: BinaryIO, task_id: str | None, new_links: bool, project: str | None, store: str | None) -> None:
    """Restore a task from FILE, an NDJSON export; - reads standard input.

    The events keep their seqs, times and idempotency keys. The import is all or nothing, and it fails if the task
    already exists, or if the end of the file is missing. A log that was changed after its export is imported as it is;
    `signalbox verify` names the first changed event, unless --new-links hides the change.
    """
    content = ndjson.read(file)
    record, events, heads = content.header.task, content.events, content.heads
    if new_links:
        events, heads = ndjson.without_links(events), ()
    if task_id is not None:
        record = msgspec.structs.replace(record, task_id=task_id)
    opened = open_store(target(store, None).store)
    try:
        task = opened.import_task(record, events, project, heads=heads)
    finally:
        opened.close()
    click.echo(f"{task.task_id}: {task.latest_seq} events, {task.status}")
