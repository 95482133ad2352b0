"""Writes the run of a transcript to a store, once, and continues it when the transcript has grown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from signalbox.store import Conflict, Event, NewEvent, Store, TaskRecord, UnknownTask
from signalbox.store.bounded_reads import events_within
from signalbox.store.emitter.fit_payload import identifier
from signalbox.store.events import is_task_id
from signalbox.store.redaction.writes import write_redaction_of_environment
from signalbox.store.state import Task
from signalbox.store.times import now
from signalbox.webapp.transcripts.model_calls import parts_of
from signalbox.webapp.transcripts.transcript_run import TranscriptRun

Outcome = Literal["imported", "continued", "unchanged"]

PAGE, PAGE_BYTES = 1000, 8 * 1024 * 1024
"""Events, and bytes of their payloads, per read."""

_UP_TO = ", up to part "
"""Separates the key of an answer from the number of its parts, in the key of an event with its further parts."""

SOURCE = "transcript"
"""The value of `source` in the metadata of a task that was made from a transcript."""


async def store_run(
    store: Store, run: TranscriptRun, *, task_id: str | None = None, project_id: str | None = None
) -> tuple[Task, Outcome]:
    """Write a run as the task `task_id`, by default that of its session. Returns the task.

    A task that an earlier import made gets only the events that it does not have. Raises Conflict if the task comes
    from elsewhere, such as from the hooks of the agent, and other errors of the store.
    """
    chosen = task_id or run.task_id
    if not is_task_id(chosen):
        raise Conflict(f"the session id {run.session_id[:80]!r} cannot be the id of a task: give one with --as")
    hide = write_redaction_of_environment()
    events = hide.events(run.events())
    try:
        async with store.read() as view:
            task = await view.task(chosen)
    except UnknownTask:
        metadata = {name: value for name, value in run.metadata.items() if value}
        record = TaskRecord(
            task_id=chosen,
            title=hide.text(run.title or f"{run.agent} session"),
            kind=run.agent,
            metadata=hide.value({"session_id": run.session_id, **metadata, "source": SOURCE}),
            created_at=events[0].occurred_at or now(),
        )
        logged = [_logged(chosen, seq, event) for seq, event in enumerate(events, 1)]
        return await store.aimport_task(record, logged, project_id), "imported"
    if task.metadata.get("source") != SOURCE or task.metadata.get("session_id") != run.session_id:
        raise Conflict(f"the task {chosen} does not come from this transcript: give another id with --as")
    return await _continue(store, task, events)


async def _continue(store: Store, task: Task, events: list[NewEvent]) -> tuple[Task, Outcome]:
    known = await _parts_by_key(store, task)
    new = [event for given in events if (event := _grown(given, known)).key not in known]
    if not new:
        return task, "unchanged"
    if (end := events[-1]).key in known:
        # What is new lies before the last line of the transcript, after which the run has ended once.
        new.append(msgspec.structs.replace(end, key=identifier(f"{end.key}, with {new[-1].key}")))
    if task.ended:
        again = {"status": "running", "message": "The transcript goes on"}
        new.insert(0, NewEvent(event_type="status", payload=again, occurred_at=new[0].occurred_at))
    for start in range(0, len(new), PAGE):
        await store.aappend(task.task_id, new[start : start + PAGE], identity=task.identity)
    async with store.read() as view:
        return await view.task(task.task_id), "continued"


def _grown(event: NewEvent, known: Mapping[str, int]) -> NewEvent:
    """Return the further parts of a model's answer if some parts of it are stored, and any other event as it is.

    The earlier import read the transcript while the answer was being written.
    """
    parts = parts_of(event.event_type, event.payload)
    stored = known.get(event.key or "", parts)
    if parts <= stored:
        return event
    payload = event.payload | {"content": event.payload["content"][stored:]}
    return msgspec.structs.replace(event, key=identifier(f"{event.key}{_UP_TO}{parts}"), payload=payload)


async def _parts_by_key(store: Store, task: Task) -> dict[str, int]:
    """Return the keys of the stored events, each with the number of parts that are stored of an answer."""
    keys, seq = dict[str, int](), 0
    while True:
        async with store.read() as view:
            page, more = await events_within(view, task.task_id, seq, PAGE, PAGE_BYTES)
        for event in page:
            if event.key is not None:
                keys[event.key] = parts_of(event.event_type, event.payload)
                first, _, parts = event.key.rpartition(_UP_TO)
                if first in keys and parts.isdecimal():
                    keys[first] = int(parts)
        if not more:
            return keys
        seq = page[-1].seq


def _logged(task_id: str, seq: int, event: NewEvent) -> Event:
    return Event(
        event_id=0,
        task_id=task_id,
        seq=seq,
        event_type=event.event_type,
        phase=None,
        actor=event.actor,
        span_id=event.span_id or "",
        parent_span_id=event.parent_span_id,
        payload_json=msgspec.Raw(msgspec.json.encode(event.payload)),
        created_at=event.occurred_at or now(),
        key=event.key,
    )
