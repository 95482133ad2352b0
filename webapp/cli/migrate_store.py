"""`signalbox migrate-store`: moves a whole store to another database."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import click

from signalbox.store.moving.errors import MoveStopped
from signalbox.store.moving.move import MoveProgress, MoveResult, move_store
from signalbox.store.urls import without_password
from signalbox.webapp.cli.table import print_json_object
from signalbox.webapp.process.notice import notice

REPORT_INTERVAL = 1.0
"""Seconds between two lines of progress."""

_DOING = {"copy": "copying", "compare": "comparing", "follow": "following", "switch": "switching"}


@click.command("migrate-store")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--start-over", is_flag=True, help="Discard what an unfinished move into TO has copied.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def migrate_store(source: str, target: str, start_over: bool, as_json: bool) -> int:
    """Move everything in the store FROM to the database TO, which must be empty.

    FROM and TO are URLs of stores. Programs may write to FROM meanwhile: they wait at most 5 s while the move switches
    to TO, and then get an error that names TO. The command prints its progress to standard error. If it is stopped or
    killed, the same command continues.
    """
    with _stopped_by_signals() as stopped:
        try:
            result = move_store(
                source, target, report=_Reporter().report, pause_point=_pause_point(stopped), start_over=start_over
            )
        except MoveStopped:
            notice("stopped; programs still use FROM. Run the same command again to continue")
            return 128 + stopped[0]
    if as_json:
        print_json_object(result._asdict() | {"url": without_password(target)})
    else:
        click.echo(_summary(result, target))
    return 0


def _summary(result: MoveResult, target: str) -> str:
    what = f"{result.tasks:,} tasks and {result.events:,} events are in {without_password(target)}"
    if result.waited is None:
        return f"already moved: {what}"
    return f"moved: {what}; writers waited {result.waited:.1f} s. Start all programs with the new URL"


class _Reporter:
    """Prints the progress at every change of the phase, and once a second."""

    def __init__(self) -> None:
        self._phase = ""
        self._due = 0.0
        self._since: tuple[float, int] = (time.monotonic(), 0)

    def report(self, progress: MoveProgress) -> None:
        """Print the progress if it is due."""
        now = time.monotonic()
        if progress.phase == self._phase and now < self._due:
            return
        before, copied = self._since
        rate = (progress.copied - copied) / max(now - before, 0.001)
        self._phase, self._due, self._since = progress.phase, now + REPORT_INTERVAL, (now, progress.copied)
        speed = f" ({rate:,.0f}/s)" if progress.phase == "copy" else ""
        notice(f"{_DOING[progress.phase]}: {progress.copied:,} events copied{speed}, {progress.behind:,} behind")


def _pause_point(stopped: list[int]) -> Callable[[], None]:
    def check() -> None:
        if stopped:
            raise MoveStopped("the move was stopped")

    return check


@contextmanager
def _stopped_by_signals() -> Iterator[list[int]]:
    """Yield a list to which SIGINT and SIGTERM add their number, instead of ending the program at any point."""
    received: list[int] = []

    def receive(number: int, frame: FrameType | None) -> None:
        received.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = {number: signal.signal(number, receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
