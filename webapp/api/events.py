"""`/api/tasks/{id}/events` and what else is read out of one log."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any
from urllib.parse import urlencode

import msgspec
from quart import Blueprint, Response, request

from signalbox.store import Event, LogQuery, NewEvent
from signalbox.store.events import CHECKPOINT_EVENTS, EVIDENCE_EVENTS
from signalbox.store.projections import checkpoint_id_of
from signalbox.webapp.api.bounds import bounded_events, payload_bytes, within_bytes
from signalbox.webapp.auth.access import needs, public
from signalbox.webapp.auth.guard import makes_task, may_write_to, project_for_new, require, task_identity
from signalbox.webapp.current import store
from signalbox.webapp.http.health import health_response, problems, store_problem
from signalbox.webapp.http.json import body_as, json_response
from signalbox.webapp.http.params import MAX_SEQ, whole
from signalbox.webapp.http.root_path import at_root
from signalbox.webapp.views.log_query import log_filters, log_query

GRAPH_SPANS = 20_000
"""Spans in one answer."""

blueprint = Blueprint("api_events", __name__, url_prefix="/api")


def fields(event: Event) -> dict[str, Any]:
    """A stored event as a JSON object."""
    found = {name: value for name, value in msgspec.structs.asdict(event).items() if value is not msgspec.UNSET}
    return found | {"payload": found.pop("payload_json")}


@blueprint.get("/tasks/<task_id>/events")
@needs("read")
async def index(task_id: str) -> Response:
    since, limit = whole("since_seq", 0, 0, MAX_SEQ), whole("limit", 100, 1, 1000)
    query = log_query(request.args)
    if log_filters(query):
        return await _found(task_id, query, since, limit)
    async with store().read() as view:
        task = await view.task(task_id)
        events = await bounded_events(lambda seq, n: view.events(task_id, since if seq is None else seq, n), limit)
    last = events[-1].seq if events else since
    return json_response(
        {
            "events": events,
            "total": task.latest_seq,
            "has_more": last < task.latest_seq,
            "next_seq": last,
        }
    )


async def _found(task_id: str, query: LogQuery, since: int, limit: int) -> Response:
    """The events that filters leave. At the end of the log `next_seq` is its end, so that a caller can go on there."""
    async with store().read() as view:
        task = await view.task(task_id)
        hits = await view.search(task_id, query, since, limit)
    shown = within_bytes(hits.events, payload_bytes)
    more = hits.more or len(shown) < len(hits.events)
    return json_response(
        {
            "events": shown,
            "total": task.latest_seq,
            "matching": hits.total,
            "has_more": more,
            "next_seq": shown[-1].seq if more else max(since, task.latest_seq),
        }
    )


@blueprint.post("/tasks/<task_id>/events")
@needs("emit", makes=True)
async def append(task_id: str) -> Response:
    body: NewEvent | list[NewEvent] = await body_as(NewEvent | list[NewEvent])
    identity = task_identity()
    if makes_task():
        task, _ = await store().acreate_task(task_id, project_id=await project_for_new(None))
        await require("emit", task_id)
        identity = task.identity
    await may_write_to(task_id)
    stored = await store().aappend(task_id, body, identity=identity)
    return json_response(stored if isinstance(body, list) else stored[0], 201)


@blueprint.get("/tasks/<task_id>/events/latest")
@needs("read")
async def latest(task_id: str) -> Response:
    limit = whole("limit", 50, 1, 500)
    async with store().read() as view:
        await view.task(task_id)
        newest = await bounded_events(lambda seq, n: view.latest_events(task_id, n, seq), limit)
    return json_response(newest)


@blueprint.get("/tasks/<task_id>/events/snapshot")
@needs("read")
async def snapshot(task_id: str) -> Response:
    limit = whole("limit", 100, 1, 500)
    async with store().read() as view:
        task = await view.task(task_id)
        newest = await bounded_events(lambda seq, n: view.latest_events(task_id, n, seq), limit)
        spans = await view.open_spans(task_id)
        lines = await view.unfinished(task_id)
    return json_response(
        {
            "task_id": task_id,
            "events": newest[::-1],
            "total_events": task.latest_seq,
            "latest_seq": task.latest_seq,
            "current_phase": task.phase,
            "active_spans": [span.span_id for span in spans],
            "open_spans": spans,
            "unfinished": lines,
        }
    )


@blueprint.get("/tasks/<task_id>/graph")
@needs("read")
async def graph(task_id: str) -> Response:
    after, limit = whole("after", 0, 0, MAX_SEQ), whole("limit", GRAPH_SPANS, 1, GRAPH_SPANS)
    async with store().read() as view:
        await view.task(task_id)
        spans = await view.spans(task_id, after, limit + 1)
        seqs = [span.started_seq for span in spans[:limit]]

        async def opening_of(seq: int | None, n: int) -> list[Event]:
            rest = seqs if seq is None else seqs[bisect_right(seqs, seq) :]
            return await view.events_at(task_id, rest[:n])

        opening = {event.seq: event for event in await bounded_events(opening_of, limit)}
    shown = [span for span in spans[:limit] if span.started_seq in opening]
    known = {span.span_id for span in shown}
    return json_response(
        {
            "task_id": task_id,
            "spans": [
                msgspec.structs.asdict(span)
                | {
                    "event_type": opening[span.started_seq].event_type,
                    "actor": opening[span.started_seq].actor,
                    "seq": span.started_seq,
                    "payload": opening[span.started_seq].payload_json,
                }
                for span in shown
            ],
            "edges": [
                {"from": span.parent_span_id, "to": span.span_id} for span in shown if span.parent_span_id in known
            ],
            "has_more": len(spans) > len(shown),
            "next_after": shown[-1].started_seq if shown else after,
        }
    )


@blueprint.get("/tasks/<task_id>/checkpoints")
@needs("read")
async def checkpoints(task_id: str) -> Response:
    after = whole("after", 0, 0, MAX_SEQ)
    async with store().read() as view:
        await view.task(task_id)
        states = {c.checkpoint_id: c for c in await view.checkpoints(task_id)}
        kinds = (*CHECKPOINT_EVENTS, *EVIDENCE_EVENTS)
        events = await bounded_events(
            lambda seq, n: view.events_of_types(task_id, kinds, n, after=after if seq is None else seq), 5000
        )
        more = bool(events and await view.events_of_types(task_id, kinds, 1, after=events[-1].seq))
    evidence: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        if event.event_type in EVIDENCE_EVENTS:
            evidence.setdefault(checkpoint_id_of(event), []).append(fields(event))
    items = []
    for event in events:
        if event.event_type not in CHECKPOINT_EVENTS:
            continue
        checkpoint_id = checkpoint_id_of(event)
        state = states.get(checkpoint_id)
        items.append(
            fields(event)
            | {
                "checkpoint_id": checkpoint_id,
                "checkpoint_type": state.checkpoint_type if state else None,
                "state": state.state if state else None,
                "evidence_refs": state.evidence_refs if state else {},
                "evidence": evidence.get(checkpoint_id, []),
            }
        )
    response = json_response(items)
    if more:
        query = urlencode({"after": events[-1].seq})
        response.headers["Link"] = f'<{at_root(request.path)}?{query}>; rel="next"'
    return response


@blueprint.get("/tasks/<task_id>/events/phase/<name:phase>", merge_slashes=False)
@needs("read")
async def of_phase(task_id: str, phase: str) -> Response:
    since, limit = whole("since_seq", 0, 0, MAX_SEQ), whole("limit", 100, 1, 1000)
    async with store().read() as view:
        await view.task(task_id)
        events = await bounded_events(
            lambda seq, n: view.events_of_phase(task_id, phase, n, since if seq is None else seq), limit
        )
    return json_response(events)


@blueprint.get("/events/health")
@public
async def health() -> Response:
    found = problems()
    if not found and (unreadable := await store_problem(store())):
        found = [unreadable]
    return health_response("task_events_api", found)
