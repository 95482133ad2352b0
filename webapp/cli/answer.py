"""`signalbox answer`: answers a permission request, from a shell on the server's machine."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from signalbox.store import NewEvent, NotFound, Store, Who
from signalbox.store.answers import expectation_of
from signalbox.store.identity import check_identity
from signalbox.store.permissions import Permission
from signalbox.webapp.cli.people_store import people_store, system_user
from signalbox.webapp.cli.target import named_task, store_option, target


@click.command()
@click.argument("task")
@click.option("--approve/--deny", "approved", required=True, default=None, help="Approve the request or deny it.")
@click.option("--request", "request_id", metavar="ID", help="The request to answer.  [default: the newest open one]")
@click.option("--value", metavar="JSON", help="The value that the request asks for, or the changed arguments.")
@click.option("--always", is_flag=True, help="Also approve later requests of the tool in this run.")
@click.option("--reason", help="The reason, which the run receives with the answer.")
@store_option
def answer(
    task: str,
    approved: bool,
    request_id: str | None,
    value: str | None,
    always: bool,
    reason: str | None,
    store: str | None,
) -> None:
    """Answer a permission request of TASK as the system user. The audit log records the answer.

    TASK is an id, or ID@IDENTITY.
    """
    task_id, identity = named_task(task, target(store))
    if not approved and (value is not None or always):
        raise click.UsageError("--value and --always are only for --approve")
    with people_store(store) as opened:
        permission = opened.run_read(_request(opened.store, task_id, request_id, identity))
        request_id, who = permission.request_id, system_user()
        payload = {"request_id": request_id, "approved": approved, "by": who} | ({"reason": reason} if reason else {})
        if approved and permission.state == "open":
            payload |= _approval(permission, value, always)
        event = NewEvent(event_type="permission_response", actor="user", payload=payload)
        stored = opened.store.append_audited(
            task_id, event, actor=Who(who), action="permission_response", source="command", identity=identity
        )
    click.echo(f"{task_id} #{stored.seq}: {request_id} {'approved' if approved else 'denied'}")


def _approval(permission: Permission, value: str | None, always: bool) -> dict[str, Any]:
    """Return the fields of an approval. Raises InvalidAnswer and UsageError."""
    expected = expectation_of(permission)
    try:
        given = msgspec.UNSET if value is None else msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise click.UsageError(f"--value must be JSON: {error}") from None
    accepted = expected.accepted(given)
    if always and not expected.may_be_remembered:
        raise click.UsageError("--always is not possible: each answer to such a request needs a value of its own")
    return ({} if accepted is msgspec.UNSET else {"value": accepted}) | ({"always": True} if always else {})


async def _request(store: Store, task_id: str, request_id: str | None, identity: str | None) -> Permission:
    """Return the named request, by default the newest open one. Raises NotFound."""
    async with store.read() as view:
        check_identity(task_id, identity, (await view.task(task_id)).identity)
        if request_id is not None:
            named = await view.permission(task_id, request_id)
            if named is None:
                raise NotFound(f"there is no permission request {request_id!r}")
            return named
        waiting = await view.permissions(task_id)
    if not waiting:
        raise NotFound(f"no permission request of {task_id} is open")
    return waiting[-1]
