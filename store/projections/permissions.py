"""The projection of permission requests. A request is closed by its first response, its expiry or the task's end."""

from __future__ import annotations

import msgspec

from signalbox.store.events import Event, NewEvent, is_claim
from signalbox.store.projections import allowances
from signalbox.store.projections.payload import request_id_of, text
from signalbox.store.projections.run import set_status
from signalbox.store.state import Choice, Permission, Span, TaskState

MAX_CHOICES = 200


def request(state: TaskState, event: Event, span: Span) -> None:
    request_id = request_id_of(event)
    if request_id in state.permissions:
        # A repeated request: from a client that retries, or from the store after an interruption was undone.
        return
    refs, schema = event.payload.get("evidence_refs"), event.payload.get("response_schema")
    state.permissions[request_id] = Permission(
        request_id=request_id,
        tool_name=text(event.payload, "tool_name") or "permission",
        arguments=event.payload.get("arguments"),
        reason=text(event.payload, "reason", "message", "explanation"),
        expires_at=text(event.payload, "expires_at"),
        phase=event.phase or state.task.phase,
        span_id=event.span_id,
        evidence_refs=refs if isinstance(refs, dict) else {},
        choices=choices_in(event.payload.get("choices")),
        response_schema=schema if isinstance(schema, dict | bool) else None,
        editable=_editable(event.payload.get("editable")),
        seq=event.seq,
        created_at=event.happened_at,
        changed_seq=event.seq,
    )
    state.task.permissions_open += 1
    state.task.permissions_seq = event.seq
    if not state.task.ended:
        set_status(state, "waiting", event)


def choices_in(given: object) -> list[Choice] | None:
    """Return the choices of a request: each is a text or another plain value, or an object with `value` and `label`."""
    if not isinstance(given, list):
        return None
    choices = []
    for one in given[:MAX_CHOICES]:
        value = one.get("value") if isinstance(one, dict) else one
        if value is None or isinstance(value, dict | list):
            continue
        label = one.get("label") if isinstance(one, dict) else None
        choices.append(Choice(value, label if isinstance(label, str) and label else _label(value)))
    return choices


def _label(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _editable(given: object) -> bool | list[str]:
    if isinstance(given, list):
        return [key for key in given if isinstance(key, str)]
    return given is True


RUN_ACTORS = frozenset({"runner", "worker", "lease", "recovery", "relay"})
"""The actors of events that a run itself emits."""


def closed(state: TaskState, event: Event, span: Span) -> None:
    payload, task = event.payload, state.task
    if is_claim(event):
        return
    request_id = text(payload, "request_id")
    if request_id is None and event.event_type == "permission_response":
        opened = [p for p in state.permissions.values() if p.state == "open"]
        request_id = max(opened, key=lambda p: p.seq).request_id if opened else None
    permission = state.permissions.get(request_id or "")
    if permission is None or permission.state != "open":
        return
    if event.event_type == "permission_response":
        permission.state = "approved" if payload.get("approved") is True else "denied"
    else:
        permission.state = "expired" if payload.get("cause") == "expired" else "cleared"
    if permission.state == "approved":
        _take_value(state, event, permission)
    permission.cause = text(payload, "cause") if event.event_type == "permission_cleared" else None
    if event.event_type == "permission_cleared" and event.origin is msgspec.UNSET:
        permission.by, permission.claimed = event.actor, event.actor not in RUN_ACTORS
    else:
        permission.by, permission.claimed = text(payload, "by") or event.actor, event.origin != "server"
    permission.answer_reason = text(payload, "reason", "message")
    permission.closed_seq = event.seq
    permission.closed_at = max(event.happened_at, permission.created_at)
    permission.changed_seq = task.permissions_seq = event.seq
    task.permissions_open -= 1
    if task.permissions_open == 0 and task.status == "waiting":
        set_status(state, "running", event)


def _take_value(state: TaskState, event: Event, permission: Permission) -> None:
    payload = event.payload
    seq = payload.get("remembered_seq")
    permission.value = payload.get("value")
    permission.remembered_seq = seq if isinstance(seq, int) and not isinstance(seq, bool) else None
    permission.always = payload.get("always") is True
    if permission.always:
        allowances.remember(state, event, permission)


def refusal(state: TaskState, event: NewEvent) -> str | None:
    """Return the reason why an act of a person must not be appended now, or None.

    Only the first response to a request counts.
    """
    if event.event_type == "allowance_revoked":
        tool_name = text(event.payload, "tool_name")
        return None if tool_name in state.task.allowances else f"{tool_name!r} is not always allowed in this run"
    if event.event_type == "message_sent" and state.task.ended:
        return f"the run has ended: it is {state.task.status}"
    if event.event_type != "permission_response":
        return None
    request_id = text(event.payload, "request_id")
    if request_id is None:
        return None if state.task.permissions_open else "no permission request is open"
    permission = state.permissions.get(request_id)
    if permission is None:
        return f"there is no permission request {request_id!r}"
    if permission.state != "open":
        return f"permission request {request_id!r} was already {permission.state} by {permission.by}"
    return None


def reopen(state: TaskState, event: Event) -> None:
    """Reopen the requests that the interruption closed. Call it while the task is still interrupted."""
    task = state.task
    for permission in state.permissions.values():
        if was_interrupted(permission, task.ended_seq):
            permission.state = "open"
            permission.cause = permission.by = permission.answer_reason = None
            permission.closed_seq = permission.closed_at = None
            permission.claimed = False
            permission.changed_seq = task.permissions_seq = event.seq
            task.permissions_open += 1


def was_interrupted(permission: Permission, ended_seq: int) -> bool:
    """Return whether the interruption of the task at `ended_seq` closed this request."""
    # In older logs this cause is `task_ended`.
    return (
        permission.state == "cleared"
        and permission.cause in ("interrupted", "task_ended")
        and (permission.closed_seq or 0) > ended_seq
    )


def consequences(state: TaskState, event: Event) -> list[NewEvent]:
    """Return the events that must follow `event` in the same transaction.

    A request of a tool that is always allowed is approved. When a task ends, its open requests are cleared. When an
    interruption is undone, the reopened requests are emitted again for clients that saw them cleared.
    """
    task = state.task
    if not task.permissions_open:
        return []
    if not task.ended:
        if task.permissions_seq != event.seq:
            return []
        return allowances.answer_to(state, event) or _repeated_requests(state, event)
    cause = "interrupted" if task.status == "interrupted" else "task_ended"
    return [
        NewEvent(
            event_type="permission_cleared",
            actor="supervisor",
            span_id=event.span_id,
            payload={
                "request_id": permission.request_id,
                "cause": cause,
                "message": f"the task is {task.status}",
            },
        )
        for permission in state.permissions.values()
        if permission.state == "open"
    ]


def _repeated_requests(state: TaskState, event: Event) -> list[NewEvent]:
    return [
        NewEvent(
            event_type="permission_request",
            actor="supervisor",
            # The span of the request may not be loaded. The span of the event is.
            span_id=event.span_id,
            payload={
                "request_id": permission.request_id,
                "tool_name": permission.tool_name,
                "arguments": permission.arguments,
                **({"reason": permission.reason} if permission.reason else {}),
                **({"expires_at": permission.expires_at} if permission.expires_at else {}),
                **({"evidence_refs": permission.evidence_refs} if permission.evidence_refs else {}),
                **({} if permission.choices is None else {"choices": permission.choices}),
                **({} if permission.response_schema is None else {"response_schema": permission.response_schema}),
                **({"editable": permission.editable} if permission.editable else {}),
            },
        )
        for permission in state.permissions.values()
        if permission.state == "open" and permission.changed_seq == event.seq and permission.seq != event.seq
    ]
