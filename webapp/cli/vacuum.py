"""`signalbox vacuum`: makes an SQLite database return free pages to the file system."""

from __future__ import annotations

import click

from signalbox.store.sqlite.vacuum import VacuumPlan, plan_of, vacuum
from signalbox.webapp.cli.target import store_option, target
from signalbox.webapp.views.text import size

LONG_SECONDS = 20.0
"""Writers that wait longer than this may be refused, so the command asks for `--yes` first."""


@click.command(name="vacuum")
@click.option("--check", is_flag=True, help="Only say what a conversion needs and gains.")
@click.option("--yes", is_flag=True, help="Convert also a large database, whose writers wait long.")
@store_option
def vacuum_command(check: bool, yes: bool, store: str | None) -> None:
    """Rewrite an SQLite database without its free pages.

    From then on it returns free pages to the file system by itself. Databases that this version created do so anyway.
    """
    path = target(store).database
    if path is None:
        raise click.UsageError("only an SQLite database can be converted: PostgreSQL's autovacuum needs no help")
    if not path.is_file():
        raise click.ClickException(f"there is no database {path}")
    plan = plan_of(path)
    click.echo(_described(plan))
    if check:
        return
    if plan.seconds > LONG_SECONDS and not yes:
        raise click.ClickException("writers would wait long: stop the server first, or give --yes")
    after = vacuum(path)
    click.echo(f"done: the database takes {size(after.bytes)}, {size(max(0, plan.bytes - after.bytes))} less")


def _described(plan: VacuumPlan) -> str:
    returns = "returns free pages by itself" if plan.converted else "keeps free pages"
    return (
        f"the database takes {size(plan.bytes)}, of which {size(plan.free)} are free, and {returns};\n"
        f"the conversion needs {size(plan.needed)} for a while, the disk has {size(plan.disk_free)},"
        f" and writers wait about {max(1, round(plan.seconds))} s"
    )
