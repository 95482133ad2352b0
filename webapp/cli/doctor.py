"""`signalbox doctor`: examines the database."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from itertools import chain
from pathlib import Path

import click

from signalbox.store.cold.moves.places import places_of
from signalbox.store.kinds import is_postgresql, postgresql_extra
from signalbox.store.sql.findings import Finding, Query
from signalbox.store.sqlite.doctor import examine, open_files
from signalbox.store.sqlite.file_uri import uri
from signalbox.store.urls import without_password
from signalbox.store.verification.sample import examine_logs
from signalbox.webapp.cli.cold import PLACE_VARIABLE
from signalbox.webapp.cli.table import json_option, print_json
from signalbox.webapp.cli.target import Target, store_option, target


@click.command()
@click.option("--logs", "all_logs", is_flag=True, help="Verify all logs, and not only those of the newest small tasks.")
@json_option
@store_option
def doctor(all_logs: bool, as_json: bool, store: str | None) -> int:
    """Examine the database and print each problem with advice. Nothing is changed.

    The exit code is 0 if no problem is found, else 1.
    """
    chosen = target(store, None)
    findings = []
    logs = examine_logs(chosen.store, os.environ.get(PLACE_VARIABLE), every=all_logs)
    for finding in chain(_findings(chosen), logs):
        findings.append(finding)
        if not as_json:
            click.echo(f"{finding.code}: {finding.message}\n    {finding.advice}")
    if as_json:
        print_json([finding._asdict() for finding in findings])
        return 1 if findings else 0
    for line in _users(chosen):
        click.echo(line)
    count = f"{len(findings)} problem{'s' if len(findings) > 1 else ''} found" if findings else "no problems found"
    click.echo(f"{chosen.database or without_password(chosen.store)}: {count}")
    return 1 if findings else 0


def _findings(chosen: Target) -> Iterable[Finding]:
    if chosen.database is not None:
        return chain(examine(chosen.database), _cold_files_of_sqlite(chosen.database, chosen.store))
    if not is_postgresql(chosen.store):
        raise click.UsageError("doctor examines a database: give --store sqlite:///FILE or postgresql://…")
    with postgresql_extra():
        from signalbox.store.postgresql import doctor as postgresql
    return chain(postgresql.examine(chosen.store), postgresql.with_query(chosen.store, _cold_files(chosen.store)))


def _cold_files(url: str) -> Callable[[Query], Iterator[Finding]]:
    from signalbox.store.cold.doctor import examine_files

    return lambda query: examine_files(query, places_of(url, os.environ.get(PLACE_VARIABLE)))


def _cold_files_of_sqlite(path: Path, url: str) -> Iterator[Finding]:
    """Examine the cold files of a database. Yields nothing if it cannot be read, or has no table of them."""
    if not path.is_file():
        return
    with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(uri(path, read_only=True), uri=True)) as database:
        yield from _cold_files(url)(lambda sql, values: database.execute(sql, values).fetchall())


def _users(chosen: Target) -> Iterator[str]:
    """Yield a line for each user of the database, as far as they can be seen."""
    if chosen.database is not None:
        users = {(pid, command) for pid, command, _ in open_files(chosen.database)}
        for pid, command in sorted(users):
            yield f"in use by process {pid} ({command})"
        return
    from signalbox.store.postgresql.doctor import server_of

    if (server := server_of(chosen.store)) is not None:
        yield server
