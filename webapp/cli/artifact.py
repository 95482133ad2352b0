"""`signalbox artifact`: stores a file of a task."""

from __future__ import annotations

import sys
from glob import glob
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from signalbox.store import StoreError
from signalbox.store.emitter.artifacts import limit, opened
from signalbox.store.line_breaks import one_line
from signalbox.store.log import Log
from signalbox.store.state import Task
from signalbox.webapp.cli.target import named_task, target, target_options
from signalbox.webapp.process.notice import notice

MAX_FILES = 100
"""Files that the patterns of one run may name."""


@click.command()
@click.argument("task")
@click.argument("file", type=click.File("rb"))
@click.option("--name", help="The name of the artifact.  [default: that of the file]")
@click.option("--type", "content_type", metavar="TYPE", help="Such as text/html.  [default: that of the name]")
@click.option("--span", help="The span that the artifact belongs to.  [default: the task's main span]")
@click.option("--key", help="The idempotency key: using a key again stores nothing and prints the first event.")
@target_options
def artifact(
    task: str,
    file: BinaryIO,
    name: str | None,
    content_type: str | None,
    span: str | None,
    key: str | None,
    store: str | None,
    server: str | None,
    token: str | None,
) -> None:
    """Store FILE as an artifact of TASK and print its event; - reads standard input, and needs --name.

    TASK is the id of a task that exists, or ID@IDENTITY.
    """
    if file is sys.stdin.buffer and name is None:
        raise click.UsageError("give --name for standard input")
    chosen = target(store, server, token)
    task_id, identity = named_task(task, chosen)
    content = file if file.seekable() else BytesIO(file.read(limit() + 1))
    log = chosen.open()
    try:
        stored = log.add_artifact(
            task_id,
            content,
            name or Path(file.name).name,
            content_type=content_type,
            limit=limit(),
            span_id=span,
            key=key,
            identity=identity,
        )
    finally:
        log.close()
    click.echo(one_line(msgspec.json.encode(stored)))


async def store_artifacts(log: Log, task: Task, patterns: tuple[str, ...]) -> None:
    """Store the files that the patterns of a run name. A file that cannot be stored is a notice at the terminal."""
    paths = [path for pattern in patterns for path in sorted(glob(pattern, recursive=True)) or [pattern]]
    if len(paths) > MAX_FILES:
        notice(f"only the first {MAX_FILES} of {len(paths)} artifacts are stored")
    for path in paths[:MAX_FILES]:
        try:
            with opened(path) as file:
                await log.aadd_artifact(task.task_id, file, path, limit=limit(), identity=task.identity or None)
        except OSError as error:
            notice(f"the artifact {path} was not stored: {error.strerror}")
        except StoreError as error:
            notice(f"the artifact {path} was not stored: {error}")
