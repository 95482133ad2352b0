"""A run to take away: the log as text, NDJSON, the spans as CSV, and one HTML file. Long ones are streamed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from quart import Blueprint, Response, request

from signalbox.store import Event
from signalbox.store.events import HEARTBEAT
from signalbox.store.state import Task
from signalbox.webapp.auth.access import needs
from signalbox.webapp.current import fragments, settings, store
from signalbox.webapp.export import ndjson, spans_csv
from signalbox.webapp.export.pages import event_pages, span_pages
from signalbox.webapp.export.raw import raw_line
from signalbox.webapp.redaction.rules import Redaction
from signalbox.webapp.views.report import redacted, report

blueprint = Blueprint("export", __name__)

FILE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""The file carries its styles in itself, and can do nothing."""


@blueprint.get("/tasks/<task_id>/raw")
@needs("read")
async def raw(task_id: str) -> Response:
    task, ansi, heartbeats = await _task(task_id), _on("ansi"), _on("heartbeats")
    pages = event_pages(store(), task_id, task.latest_seq)

    async def body() -> AsyncIterator[bytes]:
        async for page in pages:
            lines = [raw_line(e, ansi=ansi) for e in page if heartbeats or e.event_type != HEARTBEAT]
            yield "".join(lines).encode(errors="replace")

    return _streamed(body(), "text/plain; charset=utf-8", f"{task_id}.log")


@blueprint.get("/tasks/<task_id>/export.ndjson")
@needs("read")
async def events(task_id: str) -> Response:
    task, redaction = await _task(task_id), None if _on("full") else _redaction()
    pages = event_pages(store(), task_id, task.latest_seq)

    def lines(page: list[Event]) -> bytes:
        return ndjson.event_lines([redaction.event(event) for event in page] if redaction else page)

    async def body() -> AsyncIterator[bytes]:
        shown = redaction.struct(task) if redaction else task
        yield ndjson.head_line(shown, redacted=redaction is not None)
        async for page in pages:
            # Looking for secrets in long payloads takes a while: streams go on meanwhile.
            yield await asyncio.to_thread(lines, page)

    return _streamed(body(), "application/x-ndjson", f"{task_id}.ndjson")


@blueprint.get("/tasks/<task_id>/spans.csv")
@needs("read")
async def spans(task_id: str) -> Response:
    await _task(task_id)
    redaction, pages = _redaction(), span_pages(store(), task_id)

    async def body() -> AsyncIterator[bytes]:
        yield spans_csv.head_row().encode()
        async for page in pages:
            yield spans_csv.span_rows([redaction.struct(span) for span in page]).encode()

    return _streamed(body(), "text/csv; charset=utf-8", f"{task_id}-spans.csv")


@blueprint.get("/tasks/<task_id>/export.html")
@needs("read")
async def page(task_id: str) -> Response:
    async with store().read() as view:
        seen = await report(view, task_id)
    redaction, renderer = _redaction(), fragments()
    # Thousands of rows take a while: streams go on meanwhile.
    text = await asyncio.to_thread(lambda: renderer.report(redacted(seen, redaction)))
    response = Response(text, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = FILE_POLICY
    return _named(response, f"{task_id}.html")


async def _task(task_id: str) -> Task:
    async with store().read() as view:
        return await view.task(task_id)


def _redaction() -> Redaction:
    return Redaction(settings().redact)


def _on(name: str) -> bool:
    return request.args.get(name, "") not in ("", "0")


def _streamed(body: AsyncIterator[bytes], content_type: str, filename: str) -> Response:
    response = Response(body, content_type=content_type)
    response.timeout = None
    return _named(response, filename)


def _named(response: Response, filename: str) -> Response:
    if _on("download"):
        response.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response
