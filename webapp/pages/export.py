"""Exports of a task: its log as text or NDJSON, its spans as CSV, and one HTML file. All but the last are streamed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from msgspec import Meta
from quart import Blueprint, Response

from signalbox.store import Event
from signalbox.store.events import HEARTBEAT
from signalbox.store.redaction.rules import Redaction
from signalbox.store.state import Span, Task
from signalbox.webapp.auth.access import needs
from signalbox.webapp.current import fragments, settings, store
from signalbox.webapp.export import ndjson, spans_csv
from signalbox.webapp.export.paging import LinkedPage, event_pages, linked_pages, span_pages
from signalbox.webapp.export.raw import raw_details, raw_line
from signalbox.webapp.http.begun import begun
from signalbox.webapp.http.endpoint import endpoint
from signalbox.webapp.views.heads import all_heads
from signalbox.webapp.views.run_report import redacted, run_report

blueprint = Blueprint("export", __name__)

FILE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""The Content-Security-Policy of the HTML file: its inline styles are allowed, and nothing else."""

TEXT, NDJSON, CSV = "text/plain; charset=utf-8", "application/x-ndjson", "text/csv; charset=utf-8"
HTML = "text/html; charset=utf-8"


class ExportParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an export is shown or saved."""

    download: Annotated[bool, Meta(description="1: send it as a file to save.")] = False


class RawParameters(ExportParameters, frozen=True, kw_only=True):
    """The parameters of the plain text."""

    ansi: Annotated[bool, Meta(description="1: keep the colours as escape sequences.")] = False
    heartbeats: Annotated[bool, Meta(description="1: include heartbeats.")] = False
    full: Annotated[bool, Meta(description="1: include arguments, results and all other values; redact.")] = False


class NdjsonParameters(ExportParameters, frozen=True, kw_only=True):
    """The parameters of the NDJSON."""

    full: Annotated[bool, Meta(description="1: do not redact.")] = False


@blueprint.get("/tasks/<task_id>/raw")
@needs("read")
@endpoint("Read the log as plain text, one line per event, or all values with `full=1`.", media_type=TEXT)
async def raw(task_id: str, query: RawParameters) -> Response:
    task, ansi, heartbeats = await _task(task_id), query.ansi, query.heartbeats
    pages, redaction = await begun(event_pages(store(), task)), _redaction()

    def lines(page: list[Event]) -> str:
        if not query.full:
            return "".join([raw_line(event, ansi=ansi) for event in page])
        events = [redaction.event(event) for event in page]
        return "".join([f"{raw_line(event, ansi=ansi)}{raw_details(event, ansi=ansi)}" for event in events])

    async def body() -> AsyncIterator[bytes]:
        async for page in pages:
            shown = [event for event in page if heartbeats or event.event_type != HEARTBEAT]
            # In a thread, because a page may have megabytes of payloads.
            yield (await asyncio.to_thread(lines, shown)).encode(errors="replace")

    return _streamed(body(), TEXT, f"{task_id}.log" if query.download else None)


@blueprint.get("/tasks/<task_id>/export.ndjson")
@needs("read")
@endpoint("Export a task with its log as NDJSON.", media_type=NDJSON)
async def events(task_id: str, query: NdjsonParameters) -> Response:
    redaction = None if query.full else _redaction()
    async with store().read() as view:
        task = await view.task(task_id)
        claims, heads = await view.log_claims(task_id), await all_heads(view, task_id)
    pages = await begun(linked_pages(store(), task))

    def lines(page: LinkedPage) -> bytes:
        shown = [redaction.event(event) for event in page.events] if redaction else None
        return ndjson.event_lines(page.events, page.links, shown)

    async def body() -> AsyncIterator[bytes]:
        shown = redaction.struct(task) if redaction else task
        yield ndjson.head_line(shown, claims, heads, redacted=redaction is not None)
        async for page in pages:
            # Redacting long payloads takes a while, so a thread does it and streams are not delayed.
            yield await asyncio.to_thread(lines, page)

    return _streamed(body(), NDJSON, f"{task_id}.ndjson" if query.download else None)


@blueprint.get("/tasks/<task_id>/spans.csv")
@needs("read")
@endpoint("Export the spans of a task as CSV.", media_type=CSV)
async def spans(task_id: str, query: ExportParameters) -> Response:
    redaction, pages = _redaction(), await begun(span_pages(store(), await _task(task_id)))

    def rows(page: list[Span]) -> bytes:
        return spans_csv.span_rows([redaction.struct(span) for span in page]).encode()

    async def body() -> AsyncIterator[bytes]:
        yield spans_csv.head_row().encode()
        async for page in pages:
            # In a thread, as for the events.
            yield await asyncio.to_thread(rows, page)

    return _streamed(body(), CSV, f"{task_id}-spans.csv" if query.download else None)


@blueprint.get("/tasks/<task_id>/export.html")
@needs("read")
@endpoint("Export a task as one HTML file.", media_type=HTML)
async def page(task_id: str, query: ExportParameters) -> Response:
    async with store().read() as view:
        seen = await run_report(view, task_id)
    redaction, renderer = _redaction(), fragments()
    # Rendering thousands of rows takes a while, so a thread does it and streams are not delayed.
    text = await asyncio.to_thread(lambda: renderer.report(redacted(seen, redaction)))
    response = Response(text, content_type=HTML)
    response.headers["Content-Security-Policy"] = FILE_POLICY
    return _named(response, f"{task_id}.html" if query.download else None)


async def _task(task_id: str) -> Task:
    async with store().read() as view:
        return await view.task(task_id)


def _redaction() -> Redaction:
    return Redaction(settings().redact)


def _streamed(body: AsyncIterator[bytes], content_type: str, filename: str | None) -> Response:
    response = Response(body, content_type=content_type)
    response.timeout = None
    return _named(response, filename)


def _named(response: Response, filename: str | None) -> Response:
    if filename is not None:
        response.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response
