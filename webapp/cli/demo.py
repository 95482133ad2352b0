"""`signalbox demo`: an audit of the Python standard library, as something real to watch."""

from __future__ import annotations

import signal

import click

from signalbox.webapp.cli.target import target, target_options


@click.command()
@target_options
@click.option("--task", metavar="ID", help="The task's id.  [default: a new one]")
@click.option("--jobs", type=click.IntRange(1, 64), help="Packages at once.  [default: one for each core]")
@click.option("--pace", type=click.FloatRange(0, 10), default=0.0, help="Seconds to wait after each file, to watch it.")
@click.option("--quiet", is_flag=True, help="Say nothing.")
def demo(
    store: str | None,
    server: str | None,
    token: str | None,
    task: str | None,
    jobs: int | None,
    pace: float,
    quiet: bool,
) -> None:
    """Audit the installed Python standard library, and record it as a task.

    Every module is tokenised, parsed, compiled and taken apart; nothing is only played.
    """
    from signalbox.webapp.demo.audit import audit

    # To be terminated is recorded like Ctrl-C: the run is cancelled.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    log = target(store, server, token).open()
    try:
        summary = audit(log, task_id=task, jobs=jobs, pace=pace, say=None if quiet else click.echo)
    finally:
        log.close()
    if not quiet:
        click.echo(summary)
