"""`signalbox answer`: answers a permission request, from a shell on the server's machine."""

from __future__ import annotations

import click

from signalbox.store import NewEvent, NotFound, Store, Who
from signalbox.store.identity import check_identity
from signalbox.webapp.cli.people_store import people_store, system_user
from signalbox.webapp.cli.target import named_task, store_option, target


@click.command()
@click.argument("task")
@click.option("--approve/--deny", "approved", required=True, default=None, help="Approve the request or deny it.")
@click.option("--request", "request_id", metavar="ID", help="The request to answer.  [default: the newest open one]")
@click.option("--reason", help="The reason, which the run receives with the answer.")
@store_option
def answer(task: str, approved: bool, request_id: str | None, reason: str | None, store: str | None) -> None:
    """Answer a permission request of TASK as the system user. The audit log records the answer.

    TASK is an id, or ID@IDENTITY.
    """
    task_id, identity = named_task(task, target(store))
    with people_store(store) as opened:
        if request_id is None:
            request_id = opened.run_read(_newest_request(opened.store, task_id, identity))
        who = system_user()
        payload = {"request_id": request_id, "approved": approved, "by": who} | ({"reason": reason} if reason else {})
        event = NewEvent(event_type="permission_response", actor="user", payload=payload)
        stored = opened.store.append_audited(
            task_id, event, actor=Who(who), action="permission_response", source="command", identity=identity
        )
    click.echo(f"{task_id} #{stored.seq}: {request_id} {'approved' if approved else 'denied'}")


async def _newest_request(store: Store, task_id: str, identity: str | None) -> str:
    async with store.read() as view:
        check_identity(task_id, identity, (await view.task(task_id)).identity)
        waiting = await view.permissions(task_id)
    if not waiting:
        raise NotFound(f"no permission request of {task_id} is open")
    return waiting[-1].request_id
