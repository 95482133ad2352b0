"""`signalbox relay`: records the stream of another server as a task."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress

import click

from signalbox.store import UnknownTask
from signalbox.store.identity import Reference
from signalbox.store.log import task_of
from signalbox.store.reserved import check_kind
from signalbox.store.state import Status
from signalbox.webapp.cli.target import (
    Target,
    check_project,
    heartbeat_option,
    named_task,
    project_option,
    target,
    target_options,
)
from signalbox.webapp.process.echo import Echo
from signalbox.webapp.relay.follow_upstream import Relay
from signalbox.webapp.relay.relayed_task import NewTask
from signalbox.webapp.relay.upstream import Upstream, UpstreamRefused

TOKEN_VARIABLE = "SIGNALBOX_UPSTREAM_TOKEN"
EXIT_CODES: dict[Status, int] = {"done": 0, "failed": 1, "cancelled": 130}

NOTICE_TIMEOUT_S = 2.0
"""Seconds without progress after which a relay that ends stops waiting for the reader of its notices."""

CALL_TIMEOUT_S = 1.0
"""Seconds that one call waits for the server that keeps the log, before a notice is printed."""


@click.command()
@click.argument("url")
@click.option("--task", metavar="ID", required=True, help="The id of the task. If it exists, it is continued.")
@click.option("--title", help="[default: the URL]")
@click.option("--kind", metavar="NAME", default="relay", show_default=True, help="The kind of the task.")
@click.option(
    "--upstream-token", metavar="TEXT", envvar=TOKEN_VARIABLE, help=f"The upstream's bearer token.  [{TOKEN_VARIABLE}]"
)
@heartbeat_option
@project_option
@target_options
def relay(
    url: str,
    task: str,
    title: str | None,
    kind: str,
    upstream_token: str | None,
    heartbeat: float,
    project: str | None,
    store: str | None,
    server: str | None,
    token: str | None,
) -> int:
    """Follow the server-sent events at URL and record them as a task, until the final status arrives.

    No event is lost or recorded twice when the connection breaks or either side restarts: the same command resumes
    at the end of the task's log.
    """
    chosen = target(store, server, token)
    reference = named_task(task, chosen)
    upstream = Upstream(url, upstream_token)
    metadata = {"upstream": upstream.name}
    check_kind(kind)
    new_task = NewTask(title=title or upstream.name, kind=kind, metadata=metadata, project_id=project)
    return asyncio.run(_relay(chosen, upstream, reference, new_task, heartbeat))


async def _relay(chosen: Target, upstream: Upstream, reference: Reference, new_task: NewTask, heartbeat: float) -> int:
    task_id, identity = reference
    # SIGTERM acts like Ctrl-C: the events that have arrived are recorded first.
    current = asyncio.current_task()
    if current is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, current.cancel)
    log = chosen.open(patience=CALL_TIMEOUT_S)
    errors = Echo(2)  # the relay continues even if nobody reads its notices
    notice = errors.notice
    try:
        with suppress(UnknownTask):
            check_project(await task_of(log, task_id), new_task.project_id)
        status = await Relay(
            log, task_id, upstream, notice, new_task=new_task, heartbeat_interval=heartbeat, identity=identity
        ).run()
    except UpstreamRefused as error:
        hint = f" (--upstream-token, {TOKEN_VARIABLE})" if error.status == 401 else ""
        raise click.ClickException(f"{error}{hint}") from None
    except asyncio.CancelledError:
        notice(f"stopped; the same command resumes {task_id}")
        return 130
    finally:
        with suppress(asyncio.CancelledError):
            await log.aclose()
            await errors.finish(NOTICE_TIMEOUT_S)
    click.echo(f"{task_id} {status}")
    return EXIT_CODES[status]
