"""`signalbox tail`: prints the log of a task."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import aclosing

import click
import msgspec

from signalbox.store import Event, StoreUnavailable, UnknownTask
from signalbox.store.events import HEARTBEAT
from signalbox.store.identity import Reference, check_identity
from signalbox.store.line_breaks import one_line
from signalbox.store.log import RETRY_PAUSE, Log, events_of, task_of
from signalbox.store.state import Task
from signalbox.store.times import now
from signalbox.webapp.cli.event_line import day_line, line_of
from signalbox.webapp.cli.tail_footer import Footer
from signalbox.webapp.cli.target import named_task, target, target_options
from signalbox.webapp.drawing.words import safe_json
from signalbox.webapp.process.notice import notice

ENDING_EVENTS = frozenset({"runner_exit", "status"})
"""Types of events that may end a task. Further events of the same transaction can follow."""


@click.command()
@click.argument("task")
@click.option("--since-seq", type=click.IntRange(0), default=0, show_default=True, help="Start after this seq.")
@click.option("--json", "as_json", is_flag=True, help="Print each event as one line of JSON.")
@click.option("--heartbeats", is_flag=True, help="Also print heartbeats; --json always prints them.")
@click.option("--follow", is_flag=True, help="Continue after the task has ended.")
@target_options
def tail(
    task: str,
    since_seq: int,
    as_json: bool,
    heartbeats: bool,
    follow: bool,
    store: str | None,
    server: str | None,
    token: str | None,
) -> None:
    """Print the log of TASK and each new event, until the task ends. TASK is an id, or ID@IDENTITY.

    If the connection breaks, it is opened again and no event is missed or printed twice.
    """
    chosen = target(store, server, token)
    reference = named_task(task, chosen)
    if chosen.database is not None and not chosen.database.exists():
        raise UnknownTask(reference.task_id)
    colours, day, footer = sys.stdout.isatty(), now()[:10], Footer(sys.stdout)

    def show(event: Event) -> None:
        if as_json:
            click.echo(safe_json(one_line(msgspec.json.encode(event)).decode()))
            return
        if event.event_type == HEARTBEAT and not heartbeats:
            return
        nonlocal day
        if (came := event.created_at[:10]) != day:
            day = came
            footer.print(day_line(day, colours=colours))
        footer.print(line_of(event, colours=colours))

    async def follow_it() -> None:
        log = chosen.open(patience=3)
        drawing = asyncio.create_task(footer.follow(log, reference.task_id)) if colours and not as_json else None
        try:
            await print_log(log, reference, since_seq, follow, show)
        finally:
            if drawing is not None:
                drawing.cancel()
                await asyncio.gather(drawing, return_exceptions=True)
                footer.draw("")
            await log.aclose()

    asyncio.run(follow_it())


async def print_log(
    log: Log, reference: Reference, since_seq: int, follow: bool, show: Callable[[Event], None]
) -> None:
    """Show the events after `since_seq` until the task has ended, or forever with `follow`. Raises UnknownTask."""
    task_id = reference.task_id
    task = await task_of(log, task_id)
    check_identity(task_id, reference.identity, task.identity)
    last = task.latest_seq if task.ended else None
    if last is not None and since_seq >= last and not follow:
        return
    async with aclosing(
        events_of(log, task_id, since_seq=since_seq, notice=notice, identity=task.identity or None)
    ) as events:
        async for event in events:
            show(event)
            if follow or not (event.event_type in ENDING_EVENTS or (last is not None and event.seq >= last)):
                continue
            task = await _existing_task(log, task_id)
            last = task.latest_seq if task.ended else None
            if last is not None and event.seq >= last:
                return


async def _existing_task(log: Log, task_id: str) -> Task:
    while True:
        try:
            return await task_of(log, task_id)
        except StoreUnavailable:
            await asyncio.sleep(RETRY_PAUSE)
