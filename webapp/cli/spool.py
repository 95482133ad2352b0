"""`signalbox spool`: shows and sends the events that wait on disk for a server."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

import click

from signalbox.store.spool.file import Contents, SpoolFile
from signalbox.store.spool.hook_calls import HookCalls
from signalbox.store.spool.place import max_bytes, spool_files
from signalbox.store.urls import without_password
from signalbox.webapp.cli.table import json_option, print_json, print_table
from signalbox.webapp.cli.target import SERVER_VARIABLE, TOKEN_VARIABLE

FLUSH_TIMEOUT_S, AWAY_TIMEOUT_S = 600.0, 2.0
"""Seconds for which `flush` sends: at most, and while the server does not answer."""


class Found(NamedTuple):
    """A spool of this user. `fault` says why its file cannot be read."""

    path: Path
    contents: Contents | None
    fault: str | None = None


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def spool(context: click.Context, as_json: bool) -> None:
    """Show the events that wait on this machine for a server, and those that a server refused."""
    if context.invoked_subcommand is not None:
        return
    found = [one for one in spools() if one.contents is None or any(one.contents[1:])]
    if as_json:
        print_json([described(one) for one in found])
        return
    if not found:
        click.echo("no event waits for a server")
        return
    rows = []
    for one in found:
        if one.contents is None:
            rows.append((str(one.path.parent), "", "", "", "", one.fault or ""))
            continue
        url, waiting, size, refused, dropped = one.contents
        numbers = (f"{waiting:,}", f"{size:,}", f"{sum(refused.values()):,}", f"{dropped:,}")
        rows.append((without_password(url), *numbers, str(one.path.parent)))
    print_table(("SERVER", "WAITING", "BYTES", "REFUSED", "DROPPED", "FOLDER"), rows)
    for one in found:
        for reason, count in (one.contents.refused if one.contents else {}).items():
            click.echo(f"refused: {count:,} × {reason}")


server_option = click.option("--server", metavar="URL", help=f"The server.  [{SERVER_VARIABLE}]")


@spool.command()
@server_option
@click.option("--token", metavar="TEXT", help=f"The token to send with.  [{TOKEN_VARIABLE}]")
@click.option("--refused", is_flag=True, help="Also send the events that the server refused before.")
def flush(server: str | None, token: str | None, refused: bool) -> int:
    """Send the events that wait for a server, also those that were kept with another token."""
    from signalbox.store.remote.connection import Connection
    from signalbox.store.remote.delivery import send_records
    from signalbox.store.spool.sender import Sender
    from signalbox.webapp.process.notice import notice

    url = chosen_server(server)
    token = token or os.environ.get(TOKEN_VARIABLE) or None
    files, unreadable = spools_of(url)
    connection = Connection(url, token, 0)
    sent = waiting = aside = 0
    try:
        for file in files:
            if refused:
                file.restore_refused()
            before = file.contents()
            sender = Sender(file, lambda records: send_records(connection, records), notice)
            if before.waiting:
                sender.flush(FLUSH_TIMEOUT_S, AWAY_TIMEOUT_S)
            sender.stop()
            after = file.contents()
            newly_refused = sum(after.refused.values()) - sum(before.refused.values())
            sent += before.waiting - after.waiting - newly_refused
            waiting += after.waiting
            aside += sum(after.refused.values())
            file.close()
    except (sqlite3.Error, OSError) as error:
        raise click.ClickException(f"the spool cannot be used: {error}") from None
    finally:
        connection.close()
    click.echo(f"{sent:,} sent, {waiting:,} waiting, {aside:,} refused")
    return 1 if waiting or unreadable else 0


@spool.command()
@server_option
@click.option("--refused", is_flag=True, help="Only the events that the server refused.")
def discard(server: str | None, refused: bool) -> int:
    """Delete the events that wait for a server, and those that it refused."""
    count = 0
    files, unreadable = spools_of(chosen_server(server))
    try:
        for file in files:
            count += file.discard(refused_only=refused)
            file.shrink()
            file.close()
    except (sqlite3.Error, OSError) as error:
        raise click.ClickException(f"the spool cannot be used: {error}") from None
    click.echo(f"{count:,} deleted")
    return 1 if unreadable else 0


def chosen_server(server: str | None) -> str:
    """Return the server's URL from the option or the environment. Raises UsageError."""
    url = server or os.environ.get(SERVER_VARIABLE)
    if not url:
        raise click.UsageError(f"say which server: --server URL or {SERVER_VARIABLE}")
    return url.rstrip("/")


def spools() -> list[Found]:
    """Return all spools of this user. Raises ClickException."""
    try:
        return [_found(path) for path in spool_files()]
    except OSError as error:
        raise click.ClickException(f"the spools cannot be read: {error}") from None


def spools_of(url: str) -> tuple[list[SpoolFile], bool]:
    """Open the spools for a server. Return also whether others cannot be read, after printing which."""
    files, unreadable = [], False
    for path, contents, fault in spools():
        if contents is None:
            unreadable = True
            click.echo(f"{path} {fault}", err=True)
        elif contents.url == url:
            files.append(SpoolFile(path, url, max_bytes()))
    return files, unreadable


def _found(path: Path) -> Found:
    file = SpoolFile(path, HookCalls(path.parent).server(), 0)
    try:
        return Found(path, file.contents())
    except (sqlite3.Error, OSError) as error:
        return Found(path, None, f"cannot be read: {error}")
    finally:
        file.close()


def described(found: Found) -> dict[str, Any]:
    """Return a spool as JSON."""
    if found.contents is None:
        return {"folder": str(found.path.parent), "fault": found.fault}
    fields = found.contents._asdict() | {"url": without_password(found.contents.url)}
    return {**fields, "folder": str(found.path.parent)}
