"""`/api/tasks/{id}/graph` and `/checkpoints`: the spans and the checkpoints of a task, for programs."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from quart import Blueprint

from signalbox.store import Event
from signalbox.store.bounded_reads import payload_bytes
from signalbox.store.events import CHECKPOINT_EVENTS, EVIDENCE_EVENTS, Payload
from signalbox.store.projections import checkpoint_id_of
from signalbox.store.span_pages import span_page
from signalbox.store.state import Checkpoint, Progress, Span
from signalbox.webapp.api.bounds import bounded_events, within_bytes
from signalbox.webapp.api.parameters import LIMIT_DESCRIPTION, Seq
from signalbox.webapp.api.usage import UsageResponse, usage_response
from signalbox.webapp.auth.access import needs
from signalbox.webapp.current import store
from signalbox.webapp.http.endpoint import Result, endpoint
from signalbox.webapp.http.root_path import next_page

GRAPH_SPANS = 20_000
"""Maximum number of spans in one response."""

EVENTS = 5000
"""Maximum number of checkpoint events in one response."""

ENVELOPE_BYTES = 400
"""Approximate bytes of an event's JSON without its payload."""

blueprint = Blueprint("api_parts", __name__, url_prefix="/api/tasks")


class GraphParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Which spans to read."""

    after: Annotated[Seq, Meta(description="Only spans that started after this seq.")] = 0
    limit: Annotated[int, Meta(ge=1, le=GRAPH_SPANS, description=LIMIT_DESCRIPTION)] = GRAPH_SPANS


class GraphSpan(msgspec.Struct, kw_only=True):
    """A span with the event that started it. `usage` is that of the span with all spans below it."""

    span_id: str
    parent_span_id: str | None
    kind: str
    name: str
    phase: str | None
    state: Literal["mark", "open", "done", "failed", "cancelled", "interrupted"]
    attempts: int
    progress: Progress | None
    message: str | None
    error: str | None
    work_item_id: str | None
    work_type: str | None
    started_seq: int
    started_at: str
    ended_seq: int | None
    ended_at: str | None
    changed_seq: int
    model: str | None
    usage: UsageResponse | None
    event_type: str
    actor: str
    seq: int
    payload: Payload


_OF_SPAN = tuple(name for name in GraphSpan.__struct_fields__ if name in Span.__struct_fields__ and name != "usage")


class Edge(msgspec.Struct, rename={"from_": "from"}):
    """A pair of spans of which one contains the other."""

    from_: str
    to: str


class Graph(msgspec.Struct, kw_only=True):
    """Spans in the order in which they started. If `has_more` is true, `after=next_after` returns the next page."""

    task_id: str
    spans: list[GraphSpan]
    edges: list[Edge]
    has_more: bool
    next_after: int


class CheckpointParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Which checkpoint events to read."""

    after: Annotated[Seq, Meta(description="Only events after this seq.")] = 0


class CheckpointEvent(Event, frozen=True, kw_only=True):
    """An event about a checkpoint, the current state of the checkpoint, and the events that are its evidence."""

    checkpoint_id: str
    checkpoint_type: str | None
    state: str | None
    evidence_refs: dict[str, Any]
    evidence: list[Event]


@blueprint.get("/<task_id>/graph")
@needs("read")
@endpoint("Read the spans of a task and their nesting.")
async def graph(task_id: str, query: GraphParameters) -> Graph:
    after, limit = query.after, query.limit
    async with store().read() as view:
        await view.task(task_id)
        page = await span_page(view, task_id, after, limit)
        seqs = list(dict.fromkeys(span.started_seq for span in page.spans))

        async def opening_of(seq: int | None, n: int) -> list[Event]:
            rest = seqs if seq is None else seqs[bisect_right(seqs, seq) :]
            return await view.events_at(task_id, rest[:n])

        opening = {event.seq: event for event in await bounded_events(opening_of, limit)}
    shown = [span for span in page.spans if span.started_seq in opening]
    # In a thread, so that nobody else waits: there may be 20,000.
    spans, edges = await asyncio.to_thread(_spans_and_edges, shown, opening)
    return Graph(
        task_id=task_id,
        spans=spans,
        edges=edges,
        has_more=page.next is not None or len(shown) < len(page.spans),
        next_after=shown[-1].started_seq if shown else after,
    )


def _spans_and_edges(shown: Sequence[Span], opening: Mapping[int, Event]) -> tuple[list[GraphSpan], list[Edge]]:
    known = {span.span_id for span in shown}
    return (
        [_with_event(span, opening[span.started_seq]) for span in shown],
        [Edge(span.parent_span_id, span.span_id) for span in shown if span.parent_span_id in known],
    )


def _with_event(span: Span, event: Event) -> GraphSpan:
    fields = {name: getattr(span, name) for name in _OF_SPAN}
    return GraphSpan(
        **fields,
        usage=usage_response(span.usage),
        event_type=event.event_type,
        actor=event.actor,
        seq=span.started_seq,
        payload=event.payload_json,
    )


@blueprint.get("/<task_id>/checkpoints")
@needs("read")
@endpoint("Read the checkpoint events of a task with their evidence.", pages=True)
async def checkpoints(task_id: str, query: CheckpointParameters) -> Result[list[CheckpointEvent]]:
    async with store().read() as view:
        await view.task(task_id)
        kinds = (*CHECKPOINT_EVENTS, *EVIDENCE_EVENTS)
        events = await bounded_events(
            lambda seq, n: view.events_of_types(task_id, kinds, n, after=query.after if seq is None else seq), EVENTS
        )
        more = bool(events and await view.events_of_types(task_id, kinds, 1, after=events[-1].seq))
        ids = {checkpoint_id_of(event) for event in events if event.event_type in CHECKPOINT_EVENTS}
        states = {one.checkpoint_id: one for one in await view.checkpoints(task_id, len(ids), ids=ids)}
    evidence: dict[str, list[Event]] = {}
    for event in events:
        if event.event_type in EVIDENCE_EVENTS:
            evidence.setdefault(checkpoint_id_of(event), []).append(event)
    sizes = {checkpoint_id: sum(map(_event_bytes, held)) for checkpoint_id, held in evidence.items()}
    found = [event for event in events if event.event_type in CHECKPOINT_EVENTS]
    # Each event of a checkpoint repeats all its evidence.
    shown = within_bytes(found, lambda event: _event_bytes(event) + sizes.get(checkpoint_id_of(event), 0))
    last = shown[-1] if len(shown) < len(found) else events[-1] if more else None
    return Result(
        [_with_evidence(event, states, evidence) for event in shown],
        next=next_page(after=last.seq) if last else None,
    )


def _event_bytes(event: Event) -> int:
    return payload_bytes(event) + ENVELOPE_BYTES


def _with_evidence(event: Event, states: dict[str, Checkpoint], evidence: dict[str, list[Event]]) -> CheckpointEvent:
    checkpoint_id = checkpoint_id_of(event)
    state = states.get(checkpoint_id)
    return CheckpointEvent(
        **msgspec.structs.asdict(event),
        checkpoint_id=checkpoint_id,
        checkpoint_type=state.checkpoint_type if state else None,
        state=state.state if state else None,
        evidence_refs=state.evidence_refs if state else {},
        evidence=evidence.get(checkpoint_id, []),
    )
