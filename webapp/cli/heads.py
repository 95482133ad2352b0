"""`signalbox heads`: makes keys for signed heads, and prints heads to publish them."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from signalbox.store import UnknownTask
from signalbox.store.chain.keys import checking_key, create_key, public_path
from signalbox.store.sql import log_links
from signalbox.store.verification import open_source
from signalbox.webapp.cli.target import store_option, target

_FILE = click.argument("file", metavar="FILE", type=click.Path(path_type=Path))


@click.group()
def heads() -> None:
    """Show the signed heads of logs, or make a key that signs them."""


@heads.command("new-key")
@_FILE
def new_key(file: Path) -> int:
    """Write a new Ed25519 key to the new FILE, which only its owner can read, and its public key to FILE.pub.

    The server signs with it if the setting `signing_key` names FILE. Keep FILE.pub elsewhere, for `signalbox verify`.
    """
    key = create_key(file)
    click.echo(f"{file}: {key.key_id}\nThe public key is in {public_path(file)}")
    return 0


@heads.command("key-id")
@_FILE
def key_id(file: Path) -> int:
    """Print the name of the key in FILE, as signed heads have it."""
    click.echo(checking_key(file).key_id)
    return 0


@heads.command()
@click.argument("task_id", metavar="[TASK]", required=False)
@click.option("--newest", is_flag=True, help="Only the newest head of each task.")
@store_option
def show(task_id: str | None, newest: bool, store: str | None) -> int:
    """Print the signed heads of TASK, or of all tasks, as JSON Lines.

    Publish them, or keep them where nobody who can change the database can change them: `signalbox verify --heads FILE`
    then shows every later change to these logs.
    """
    chosen = target(store)
    if chosen.server is not None:
        raise click.UsageError("heads are read from the database: give --store sqlite:///FILE or postgresql://…")
    with open_source(chosen.store) as source:
        if task_id is not None and log_links.claims_of(source.query, task_id, linked=source.linked) is None:
            raise UnknownTask(task_id)
        for name in [task_id] if task_id is not None else log_links.task_ids(source.query):
            found = log_links.heads_of(source.query, name) if source.linked else []
            for head in found[-1:] if newest else found:
                click.echo(msgspec.json.encode(head))
    return 0
