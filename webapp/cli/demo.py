"""`signalbox demo`: audits the Python standard library, so that there is a real run to watch."""

from __future__ import annotations

import signal
import threading
from contextlib import suppress

import click

from signalbox.webapp.cli.target import target, target_options

STOP_SECONDS = 2.0
"""Seconds that the agent gets to record that it was stopped."""


@click.command()
@target_options
@click.option("--task", metavar="ID", help="The id of the task.  [default: a new one]")
@click.option("--jobs", type=click.IntRange(1, 64), help="Packages audited at once.  [default: one per core]")
@click.option(
    "--pace", type=click.FloatRange(0, 10), default=0.0, help="Seconds to wait after each file, for people who watch."
)
@click.option("--agent", is_flag=True, help="Also run an agent whose answers are scripted, to show a conversation.")
@click.option("--quiet", is_flag=True, help="Print nothing.")
def demo(
    store: str | None,
    server: str | None,
    token: str | None,
    task: str | None,
    jobs: int | None,
    pace: float,
    agent: bool,
    quiet: bool,
) -> None:
    """Audit the installed Python standard library, and record it as a task.

    The work is real: every module is tokenised, parsed, compiled and disassembled.
    """
    from signalbox.webapp.demo.agent import converse
    from signalbox.webapp.demo.audit import audit

    # SIGTERM is recorded like Ctrl-C: the run is cancelled.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    log = target(store, server, token).open()
    stopping = threading.Event()

    def review() -> None:
        with suppress(KeyboardInterrupt):
            converse(log, stopping=stopping)

    reviewer = threading.Thread(target=review, daemon=True)
    if agent:
        reviewer.start()
    try:
        summary = audit(log, task_id=task, jobs=jobs, pace=pace, say=None if quiet else click.echo)
        if agent:
            reviewer.join()
    finally:
        stopping.set()
        if agent:
            reviewer.join(STOP_SECONDS)
        log.close()
    if not quiet:
        click.echo(summary)
