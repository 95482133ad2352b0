"""`signalbox backup`: makes and restores backups of a whole store."""

from __future__ import annotations

from pathlib import Path

import click

from signalbox.store.backup import BackupContent, create_backup, restore_backup
from signalbox.store.urls import without_password
from signalbox.webapp.cli.cold import place_option
from signalbox.webapp.cli.table import json_option, print_json_object
from signalbox.webapp.cli.target import store_option, target
from signalbox.webapp.views.text import plural

_FILE = click.argument("file", metavar="FILE", type=click.Path(path_type=Path))


@click.group()
def backup() -> None:
    """Make a backup of the whole store, or restore one."""


@backup.command()
@_FILE
@click.option(
    "--without-cold-files", is_flag=True, help="Leave out the files of cold storage; keep them where they are."
)
@json_option
@store_option
def create(file: Path, without_cold_files: bool, as_json: bool, store: str | None) -> int:
    """Write everything in the store to the new FILE, and check it. Programs may use the store meanwhile.

    FILE is a SQLite database whatever the kind of the store is. Only its owner can read it.
    """
    url = _database(store)
    content = create_backup(url, file.absolute(), cold_files=not without_cold_files)
    if as_json:
        print_json_object({"file": str(file), **content._asdict()})
    else:
        click.echo(f"{file}: {_has(content)}; checked")
        _say_elsewhere(content)
    return 0


@backup.command()
@_FILE
@click.option("--replace", is_flag=True, help="Replace a store that is not empty. A SQLite file is kept.")
@place_option
@json_option
@store_option
def restore(file: Path, replace: bool, place: str | None, as_json: bool, store: str | None) -> int:
    """Make the store what it was when the backup FILE was made. Stop every program that uses the store first.

    The restored store has a new epoch, so pages and programs with a position in the old log start over.
    """
    url = _database(store)
    restored = restore_backup(file.absolute(), url, replace=replace, cold_storage=place)
    shown = without_password(url)
    kept = str(restored.replaced) if restored.replaced is not None else None
    if as_json:
        print_json_object({"store": shown, "replaced": kept, **restored.content._asdict()})
        return 0
    click.echo(f"{shown}: {_has(restored.content)}")
    _say_elsewhere(restored.content)
    if kept is not None:
        click.echo(f"The database that was there is kept as {kept}")
    return 0


def _database(store: str | None) -> str:
    chosen = target(store)
    if chosen.server is not None:
        raise click.UsageError("a backup needs the database: give --store sqlite:///FILE or postgresql://…")
    return chosen.store


def _has(content: BackupContent) -> str:
    return f"{plural(content.tasks, 'task')}, {plural(content.events, 'event')}, {plural(content.size, 'byte')}"


def _say_elsewhere(content: BackupContent) -> None:
    for place in content.cold_elsewhere:
        click.echo(f"The backup does not have the files of cold storage in {place}: keep them with it")
