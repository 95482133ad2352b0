"""A span for each request, from its arrival to the head of its response. A stream does not keep its span open."""

from __future__ import annotations

from typing import Any

from opentelemetry.context import attach
from opentelemetry.propagate import extract
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, set_span_in_context
from quart import Quart, Response, g, request

from signalbox.store.events import is_task_id

UNREPORTED = ("/v1/", "/static/", "/healthz", "/readyz", "/metrics")
"""Paths that are not reported: probes, files, and reports of other programs, which this server may itself have sent."""

_SPAN = "telemetry_span"


class RequestSpans:
    """Makes the spans of an app's requests.

    A span names the route, never the path or the query, which may hold a token.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def install(self, app: Quart) -> None:
        """Add the span to every request of an app."""
        app.before_request(self._start)
        app.after_request(self._answered)
        app.teardown_request(self._ended)

    async def _start(self) -> None:
        if request.path.startswith(UNREPORTED):
            return
        route = request.url_rule.rule if request.url_rule else None
        attributes: dict[str, Any] = {"http.request.method": request.method, "url.scheme": request.scheme}
        attributes |= {"http.route": route} if route else {}
        task_id = (request.view_args or {}).get("task_id")
        attributes |= {"signalbox.task_id": task_id} if is_task_id(task_id) else {}
        given = {name: request.headers.get(name, "") for name in ("traceparent", "tracestate")}
        name = f"{request.method} {route}" if route else request.method
        span = self._tracer.start_span(name, extract(given), kind=SpanKind.SERVER, attributes=attributes)
        setattr(g, _SPAN, span)
        # Each request is a task of its own, so the context ends with it.
        attach(set_span_in_context(span))

    async def _answered(self, response: Response) -> Response:
        span: Span | None = g.get(_SPAN)
        if span is not None:
            span.set_attribute("http.response.status_code", response.status_code)
            if response.status_code >= 500:
                span.set_status(StatusCode.ERROR)
            span.end()
        return response

    async def _ended(self, error: BaseException | None) -> None:
        span: Span | None = g.get(_SPAN)
        if span is not None and span.is_recording():
            if error is not None:
                span.set_status(StatusCode.ERROR, type(error).__name__)
            span.end()
