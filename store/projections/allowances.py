"""The projection of allowances: the tools that a person always allows in a run.

An approval with `always` allows the tool until the allowance is revoked or another run of the task starts. Later
requests of the tool are approved in the transaction that appends them, whichever process that is.
"""

from __future__ import annotations

from signalbox.store.chain.tombstones import is_tombstone
from signalbox.store.events import Event, NewEvent, is_claim
from signalbox.store.projections.payload import request_id_of, text
from signalbox.store.state import Allowance, Permission, Span, TaskState

MAX_ALLOWANCES = 50
"""A run has at most this many."""


def may_be_remembered(permission: Permission) -> bool:
    """Return whether an answer may also approve later requests like this one: they need no value of a person."""
    return permission.choices is None and permission.response_schema is None


def remember(state: TaskState, event: Event, permission: Permission) -> None:
    """Allow the tool of the request that this answer approved. Only answers that this server wrote are remembered."""
    task, tool_name = state.task, permission.tool_name
    if event.origin != "server" or not may_be_remembered(permission):
        return
    if len(task.allowances) < MAX_ALLOWANCES or tool_name in task.allowances:
        by = text(event.payload, "by") or event.actor
        allowance = Allowance(tool_name=tool_name, by=by, at=event.happened_at, seq=event.seq)
        task.allowances = {**task.allowances, tool_name: allowance}


def revoke(state: TaskState, event: Event, span: Span) -> None:
    task, tool_name = state.task, text(event.payload, "tool_name")
    if is_claim(event):
        return
    if is_tombstone(event.payload):
        # The tool that was revoked is not known any more. No tool may be allowed again because of an erasure.
        forget(state, event)
    elif tool_name in task.allowances:
        task.allowances = {name: one for name, one in task.allowances.items() if name != tool_name}
        task.permissions_seq = event.seq


def forget(state: TaskState, event: Event) -> None:
    """Forget the allowances of the earlier run, because `event` starts another one."""
    if state.task.allowances:
        state.task.allowances, state.task.permissions_seq = {}, event.seq


def answer_to(state: TaskState, event: Event) -> list[NewEvent]:
    """Return the answer to the request that `event` opened if its tool is always allowed, else an empty list."""
    if event.event_type != "permission_request" or not state.task.allowances:
        return []
    permission = state.permissions.get(request_id_of(event))
    if permission is None or permission.seq != event.seq or not may_be_remembered(permission):
        return []
    allowance = state.task.allowances.get(permission.tool_name)
    if allowance is None:
        return []
    payload = {
        "request_id": permission.request_id,
        "approved": True,
        "by": f"{allowance.by} (always allowed)",
        "remembered_seq": allowance.seq,
    }
    if permission.editable and permission.arguments is not None:
        payload["value"] = permission.arguments
    return [NewEvent(event_type="permission_response", actor="supervisor", span_id=event.span_id, payload=payload)]
