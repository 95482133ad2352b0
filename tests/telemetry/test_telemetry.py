"""OTLP out: the spans and the log of a server reach a collector, and a collector that is away disturbs nothing."""

from __future__ import annotations

import gzip
import logging
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from signalbox.webapp import settings
from signalbox.webapp.telemetry.telemetry import Telemetry
from tests.support.server import Server
from tests.support.waiting import wait_until

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Collector:
    """A small collector of OTLP/HTTP, which keeps what it gets."""

    def __init__(self) -> None:
        self.traces: list[Any] = []
        self.logs: list[Any] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
                if self.path == "/v1/traces":
                    collector.traces.append(ExportTraceServiceRequest.FromString(body))
                else:
                    collector.logs.append(ExportLogsServiceRequest.FromString(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def spans(self) -> dict[str, Any]:
        """The spans by name."""
        return {
            span.name: span
            for request in self.traces
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        }

    @property
    def records(self) -> list[Any]:
        """The log records."""
        return [
            record
            for request in self.logs
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()
    yield found
    found.close()


def variables(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    for name, value in {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_TRACES_SAMPLER": "parentbased_always_on",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_BLRP_SCHEDULE_DELAY": "100",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
    }.items():
        monkeypatch.setenv(name, value)


def attributes_of(span: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


def test_requests_writes_and_log_records_reach_the_collector(
    start_server: Callable[..., Server], collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables(monkeypatch, collector.url)
    server = start_server(telemetry=True)
    event = {"event_type": "log", "payload": {"message": "hello"}}
    answer = httpx.post(f"{server.url}/api/tasks/t/events?secret=hunter2", json=event, headers={"traceparent": CALLER})
    assert answer.status_code == 201
    assert server.get("/no/such/page").status_code == 404
    assert server.get("/healthz").status_code == 200
    posted = "POST /api/tasks/<task_id>/events"
    wait_until(lambda: {posted, "store append", "GET", "deliver events"} <= collector.spans.keys())
    spans = collector.spans
    assert (spans[posted].trace_id.hex(), spans[posted].parent_span_id.hex()) == tuple(CALLER.split("-")[1:3])
    assert attributes_of(spans[posted]) == {
        "http.request.method": "POST",
        "url.scheme": "http",
        "http.route": "/api/tasks/<task_id>/events",
        "signalbox.task_id": "t",
        "http.response.status_code": 201,
    }
    assert spans["store append"].parent_span_id == spans[posted].span_id
    assert attributes_of(spans["GET"])["http.response.status_code"] == 404
    assert not [name for name in spans if "healthz" in name]
    assert "hunter2" not in str(collector.traces)
    resource = attributes_of(collector.traces[0].resource_spans[0].resource)
    assert (resource["service.name"], "service.instance.id" in resource) == ("signalbox", True)


def test_a_collector_that_is_away_slows_nothing_and_is_logged_once(
    start_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    variables(monkeypatch, "http://127.0.0.1:9")
    server = start_server(telemetry=True)
    slowest = 0.0
    for _ in range(20):
        begun = time.monotonic()
        assert server.get("/api/tasks").status_code == 200
        slowest = max(slowest, time.monotonic() - begun)
    assert slowest < 5, "a request waited for the collector, which is tried for ten seconds"
    wait_until(lambda: "127.0.0.1" in server.log or "opentelemetry" in server.log)
    begun = time.monotonic()
    server.close()
    assert time.monotonic() - begun < 30, "the server waited for more than `STOP_TIMEOUT_S`"
    assert server.log.count("opentelemetry.exporter") <= 1


def test_without_the_extra_the_setting_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "TELEMETRY_MODULES", ("opentelemetry.no_such_module",))
    with pytest.raises(settings.InvalidSetting, match=r"SIGNALBOX_TELEMETRY.*signalbox-console.opentelemetry"):
        settings.Settings(telemetry=True)
    assert not settings.Settings().telemetry


async def test_the_log_of_a_server_reaches_the_collector_with_its_fields(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables(monkeypatch, collector.url)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    telemetry = Telemetry("one")
    try:
        raise ValueError("no more milk")
    except ValueError:
        logging.getLogger("signalbox.server").error({"event": "requests were cut off", "connections": 3}, exc_info=True)
    logging.getLogger("opentelemetry.exporter").error("a record of the SDK itself")
    await telemetry.stop()
    (record,) = collector.records
    assert (record.body.string_value, record.severity_text) == ("requests were cut off", "ERROR")
    found = attributes_of(record)
    assert (found["logger"], found["connections"], found["exception.type"]) == ("signalbox.server", 3, "ValueError")
    assert "no more milk" in found["exception.stacktrace"]
