"""`signalbox doctor`: examines the database."""

from __future__ import annotations

import click

from signalbox.store.sqlite.doctor import examine, open_files
from signalbox.webapp.cli.table import json_option, print_json
from signalbox.webapp.cli.target import store_option, target


@click.command()
@json_option
@store_option
def doctor(as_json: bool, store: str | None) -> int:
    """Examine the database and print each problem with advice. Nothing is changed.

    The exit code is 0 if no problem is found, else 1.
    """
    path = target(store, None).database
    if path is None:
        others = "PostgreSQL has tools of its own, such as pg_amcheck"
        raise click.UsageError(f"doctor examines a SQLite file: give --store sqlite:///FILE. {others}")
    findings = []
    for finding in examine(path):
        findings.append(finding)
        if not as_json:
            click.echo(f"{finding.code}: {finding.message}\n    {finding.advice}")
    if as_json:
        print_json([finding._asdict() for finding in findings])
        return 1 if findings else 0
    users = {(pid, command) for pid, command, _ in open_files(path)}
    for pid, command in sorted(users):
        click.echo(f"in use by process {pid} ({command})")
    count = f"{len(findings)} finding{'s' if len(findings) > 1 else ''}" if findings else "nothing is wrong"
    click.echo(f"{path}: {count}")
    return 1 if findings else 0
