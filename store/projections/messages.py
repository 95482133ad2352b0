"""The projection of messages from people to the run."""

from __future__ import annotations

from typing import Any

from signalbox.store.events import Event, is_claim
from signalbox.store.projections.payload import text
from signalbox.store.state import SentMessage, Span, TaskState


def sent(state: TaskState, event: Event, span: Span) -> None:
    message = message_of(event)
    if message is not None:
        state.messages[event.seq] = message
        state.task.messages_total += 1
        state.task.messages_seq = event.seq


def message_of(event: Event) -> SentMessage | None:
    """Return the message that this `message_sent` carries. A claim carries none."""
    body = event.payload.get("text")
    if is_claim(event) or not isinstance(body, str):
        return None
    return SentMessage(
        seq=event.seq,
        text=body,
        data=event.payload.get("data"),
        by=text(event.payload, "by") or event.actor,
        claimed=event.origin != "server",
        at=event.happened_at,
        changed_seq=event.seq,
    )


def taken(state: TaskState, event: Event, span: Span) -> None:
    message = state.messages.get(number_in(event.payload))
    if message is None or message.taken_seq is not None:
        return
    message.taken_seq, message.taken_at, message.changed_seq = event.seq, event.happened_at, event.seq
    state.task.messages_seq = event.seq


def number_in(payload: dict[str, Any]) -> int:
    """Return the seq of the message that the payload names, or 0."""
    number = payload.get("message")
    return number if isinstance(number, int) and not isinstance(number, bool) and 0 < number < 2**63 else 0
