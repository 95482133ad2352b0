"""Answers of people to permission requests, and their allowances."""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec import UNSET

from signalbox.store import Conflict, Event
from signalbox.store.answers import Expectation, expectation_of
from signalbox.store.projections.allowances import MAX_ALLOWANCES
from signalbox.store.state import Permission
from signalbox.webapp.acts.user_actions import act
from signalbox.webapp.current import store
from signalbox.webapp.http.bad_request import BadRequest


async def answer_permission(
    task_id: str,
    permission: Permission,
    approved: bool,
    reason: str | None,
    *,
    value: Any = UNSET,
    always: bool = False,
    key: str | None = None,
) -> Event:
    """Answer a permission request. An approval has the `value` that the request asks for, UNSET for none.

    With `always`, it also approves later requests of the tool in this run. Raises Conflict if the request is already
    closed: the first answer wins. Raises InvalidAnswer, and BadRequest for an `always` that the request does not allow.
    """
    fields: dict[str, Any] = {"request_id": permission.request_id, "approved": approved, "reason": reason}
    if not approved and (value is not UNSET or always):
        name = "always" if always else "value"
        raise BadRequest(f"{name} must be left out of a denial", name)
    if approved and permission.state == "open":
        expected = expectation_of(permission)
        # A check may take seconds: see `store.answers.patterns`.
        value = await asyncio.to_thread(expected.accepted, value)
        if always:
            await _check_allowance(task_id, permission, expected)
            fields["always"] = True
    return await act(task_id, "permission_response", span_id=permission.span_id, key=key, value=value, **fields)


async def _check_allowance(task_id: str, permission: Permission, expected: Expectation) -> None:
    if not expected.may_be_remembered:
        raise BadRequest("always must be left out: each answer to such a request needs a value of its own", "always")
    async with store().glance() as view:
        allowances = (await view.task(task_id)).allowances
    if len(allowances) >= MAX_ALLOWANCES and permission.tool_name not in allowances:
        raise Conflict(f"a run may have at most {MAX_ALLOWANCES} tools that are always allowed; revoke one first")


async def revoke_allowance(task_id: str, tool_name: str) -> Event:
    """Stop always allowing a tool in this run. Raises UnknownTask, or Conflict if it is not always allowed."""
    return await act(task_id, "allowance_revoked", tool_name=tool_name)
