"""`signalbox emit`: appends one event from a shell."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click
import msgspec

from signalbox.store import NewEvent
from signalbox.store.events import check_event
from signalbox.store.identity import check_identity
from signalbox.store.line_breaks import one_line
from signalbox.store.log import task_of
from signalbox.webapp.cli.target import check_project, named_task, project_option, target, target_options


class PayloadType(click.ParamType[dict[str, Any]]):
    """A JSON object, or `-` for one from standard input."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        try:
            text = sys.stdin.read() if value == "-" else value
            payload: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            self.fail(f"it must be a JSON object: {error}", param, ctx)
        return payload


@click.command()
@click.argument("task")
@click.argument("event_type")
@click.option("--payload", type=PayloadType(), metavar="JSON", help="A JSON object; - reads it from standard input.")
@click.option("--phase", help="The phase that the event belongs to.")
@click.option("--span", help="The span that the event belongs to.  [default: the task's main span]")
@click.option("--parent", help="The parent of that span.")
@click.option("--actor", default="runner", show_default=True, help="The actor of the event.")
@click.option("--key", help="The idempotency key: using a key again appends nothing and prints the first event.")
@click.option("--occurred-at", metavar="TIME", help="When it happened, if not now, such as 2026-11-21T14:02:07Z.")
@project_option
@target_options
def emit(
    task: str,
    event_type: str,
    payload: dict[str, Any] | None,
    phase: str | None,
    span: str | None,
    parent: str | None,
    actor: str,
    key: str | None,
    occurred_at: str | None,
    project: str | None,
    store: str | None,
    server: str | None,
    token: str | None,
) -> None:
    """Append one event to TASK and print it as it is stored. A task that does not exist is created.

    TASK is the id of a task, or ID@IDENTITY, which means this very task and creates none.
    """
    event = NewEvent(
        event_type=event_type,
        phase=phase,
        actor=actor,
        span_id=span,
        parent_span_id=parent,
        payload=payload or {},
        key=key,
        occurred_at=occurred_at,
    )
    check_event(event)
    chosen = target(store, server, token)
    task_id, identity = named_task(task, chosen)
    log = chosen.open()
    try:
        if project is not None:
            # A task that is named with its identity is never created.
            found = asyncio.run(task_of(log, task_id)) if identity else log.create_task(task_id, project_id=project)[0]
            check_identity(task_id, identity, found.identity)
            check_project(found, project)
        (stored,) = log.append(task_id, event, identity=identity)
    finally:
        log.close()
    click.echo(one_line(msgspec.json.encode(stored)))
