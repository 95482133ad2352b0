"""Test `/v1/traces` and `/v1/logs`: what they store, and the responses to bad requests."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from signalbox.store import open_task
from signalbox.store.state import Task
from signalbox.store.trace_context import trace_id_of
from tests.support.log import log_of, spans_of, task_of
from tests.support.people import project, token, wait_until_guarded
from tests.support.server import Server
from tests.support.waiting import wait_until

PROTOBUF, JSON = "application/x-protobuf", "application/json"
PROGRAM = Path(__file__).parents[2] / "examples" / "opentelemetry_trace.py"


def span(trace: str, number: int, parent: int | None = None, **fields: Any) -> dict[str, Any]:
    above = {"parentSpanId": f"{parent:016x}"} if parent else {}
    times = {"startTimeUnixNano": str(1_763_640_000_000_000_000 + number), "endTimeUnixNano": "1763640001000000000"}
    return {"traceId": trace, "spanId": f"{number:016x}", "name": f"step {number}", **times, **above, **fields}


def traces(*spans: dict[str, Any], **resource: str) -> dict[str, Any]:
    attributes = [{"key": name.replace("__", "."), "value": {"stringValue": text}} for name, text in resource.items()]
    return {"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": [{"spans": list(spans)}]}]}


def logs(*records: dict[str, Any], **resource: str) -> dict[str, Any]:
    attributes = [{"key": name.replace("__", "."), "value": {"stringValue": text}} for name, text in resource.items()]
    return {"resourceLogs": [{"resource": {"attributes": attributes}, "scopeLogs": [{"logRecords": list(records)}]}]}


def post(server: Server, document: Any, path: str = "/v1/traces", **headers: str) -> httpx.Response:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return httpx.post(server.url + path, content=content, headers={"content-type": JSON, **headers})


def test_a_stock_program_without_our_code_appears_on_the_page(server: Server) -> None:
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": server.url, "PATH": ""}
    done = subprocess.run([sys.executable, str(PROGRAM)], env=variables, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    task_id = done.stdout.strip()
    page = httpx.get(f"{server.url}/tasks/{task_id}").text
    for shown in ("POST /gifts", "gift-shop", "SELECT articles", "chat small-model", "out of stock", "54 tokens"):
        assert shown in page
    assert "A red scarf." in httpx.get(f"{server.url}/tasks/{task_id}/conversation").text
    task = task_of(server.store, task_id)
    assert (task.title, task.kind, task.status, task.spans_total) == ("POST /gifts", "gift-shop", "running", 4)
    failed = [event.payload for event in log_of(server.store, task_id) if event.payload.get("level") == "error"]
    assert [(one["exception"], "Traceback" in one["message"]) for one in failed] == [("ValueError", True)]


def test_spans_of_two_services_make_one_task_and_a_repeated_batch_changes_nothing(server: Server) -> None:
    trace = "a1" * 16
    back = traces(span(trace, 3, 2), span(trace, 2, 1), service__name="stock")
    front = traces(span(trace, 1), service__name="shop")
    for document in (back, front, back, front):
        response = post(server, document)
        assert (response.status_code, response.json()) == (200, {})
    task = task_of(server.store, trace)
    assert (task.title, task.kind, task.latest_seq, task.spans_open) == ("step 1", "shop", 3, 0)
    assert {name: one.parent_span_id for name, one in spans_of(server.store, trace).items()} == {
        "step 1": None,
        "step 2": f"{1:016x}",
        "step 3": f"{2:016x}",
    }


@pytest.mark.parametrize(
    ("coding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)],
    ids=["gzip", "deflate", "identity"],
)
def test_compressed_requests_are_stored(server: Server, coding: str, pack: Any) -> None:
    trace = coding.encode().hex().ljust(32, "0")
    packed = pack(json.dumps(traces(span(trace, 1))).encode())
    assert post(server, packed, **{"content-encoding": coding}).status_code == 200
    assert task_of(server.store, trace).spans_total == 1


def test_the_response_has_the_encoding_of_the_request(server: Server) -> None:
    response = post(server, ExportTraceServiceRequest().SerializeToString(), **{"content-type": PROTOBUF})
    assert (response.status_code, response.headers["content-type"], response.content) == (200, PROTOBUF, b"")
    bad = ExportTraceServiceRequest()
    bad.resource_spans.add().scope_spans.add().spans.add(trace_id=b"short", name="bad")
    response = post(server, bad.SerializeToString(), **{"content-type": PROTOBUF})
    partial = ExportTraceServiceResponse.FromString(response.content).partial_success
    assert (response.status_code, partial.rejected_spans) == (200, 1)
    assert "trace id" in partial.error_message
    response = post(server, traces(span("00", 1), span("b2" * 16, 1)), **{"content-type": f"{JSON}; charset=utf-8"})
    assert response.headers["content-type"] == JSON
    assert response.json()["partialSuccess"]["rejectedSpans"] == "1"
    assert task_of(server.store, "b2" * 16).spans_total == 1


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs"])
@pytest.mark.parametrize(
    ("kind", "body", "status", "code"),
    [
        (PROTOBUF, b"\xff\xff", 400, 3),
        (JSON, b"{", 400, 3),
        (JSON, b"", 400, 3),
        (JSON, b"[1]", 400, 3),
        ("text/plain", b"{}", 415, 3),
        ("application/grpc", b"", 415, 3),
    ],
)
def test_an_error_is_a_status_in_the_encoding_of_the_request(
    server: Server, path: str, kind: str, body: bytes, status: int, code: int
) -> None:
    response = post(server, body, path, **{"content-type": kind})
    assert response.status_code == status
    assert "retry-after" not in response.headers
    if kind == PROTOBUF:
        found = Status.FromString(response.content)
        assert (response.headers["content-type"], found.code, bool(found.message)) == (PROTOBUF, code, True)
    else:
        assert (response.headers["content-type"], response.json()["code"]) == (JSON, code)
        assert response.json()["message"]


def test_a_request_over_the_limit_is_refused_before_and_after_decompression(server: Server) -> None:
    limit = 16 * 1024 * 1024
    response = post(server, b" " * (limit + 1))
    assert (response.status_code, response.json()["code"]) == (413, 3)
    response = post(server, gzip.compress(b" " * (limit + 1)), **{"content-encoding": "gzip"})
    assert (response.status_code, response.json()["code"]) == (413, 3)
    for coding, body in (("zstd", b"x"), ("gzip", b"not gzip"), ("gzip", gzip.compress(b"{}")[:-4])):
        response = post(server, body, **{"content-encoding": coding})
        assert response.status_code == (415 if coding == "zstd" else 400)
        assert response.json()["message"]


def test_other_methods_and_signals_are_refused(server: Server) -> None:
    assert httpx.get(f"{server.url}/v1/traces").status_code == 405
    assert (post(server, {}, "/v1/metrics").status_code, post(server, {}, "/v1/metrics").json()["code"]) == (404, 5)


def test_log_records_go_to_their_trace_or_to_their_service(server: Server) -> None:
    trace = "c3" * 16
    at = {"timeUnixNano": "1763640000500000000"}
    records = [
        {**at, "traceId": trace, "spanId": f"{2:016x}", "severityNumber": 13, "body": {"stringValue": "in the span"}},
        {**at, "severityNumber": 17, "body": {"stringValue": "alone"}},
        {**at, "severityNumber": 17, "body": {"stringValue": "alone"}},
        {
            **at,
            "body": {"stringValue": "it broke"},
            "attributes": [
                {"key": "exception.type", "value": {"stringValue": "OSError"}},
                {"key": "exception.stacktrace", "value": {"stringValue": "Traceback\nOSError: no disk"}},
            ],
        },
    ]
    document = logs(*records, service__name="billing", host__name="web-1")
    for _ in range(2):
        assert post(server, document, "/v1/logs").json() == {}
    assert post(server, traces(span(trace, 1), span(trace, 2, 1))).json() == {}
    (line,) = [event for event in log_of(server.store, trace) if event.event_type == "log"]
    assert (line.span_id, line.payload["message"], line.payload["level"]) == (f"{2:016x}", "in the span", "warning")
    assert task_of(server.store, trace).spans_total == 2
    (service,) = [task for task in httpx.get(f"{server.url}/api/tasks").json()["tasks"] if task["kind"] == "billing"]
    assert service["title"] == "Log of billing (web-1)"
    messages = [
        (event.payload["level"], event.payload["message"]) for event in log_of(server.store, service["task_id"])
    ]
    assert messages[:2] == [("error", "alone"), ("error", "alone")]
    assert messages[2][1] == "it broke\nTraceback\nOSError: no disk"
    assert len(messages) == 3


def test_a_rejected_log_record_is_counted_in_protobuf_too(server: Server) -> None:
    response = post(server, b"", "/v1/logs", **{"content-type": PROTOBUF})
    assert ExportLogsServiceResponse.FromString(response.content).partial_success.rejected_log_records == 0


def test_a_trace_of_a_run_joins_the_run(server: Server) -> None:
    with open_task(server.store, title="the run") as run:
        trace = trace_id_of(run.task_id)
        parent = run.traceparent.split("-")[2]
        assert post(server, traces(span(trace, 7, parentSpanId=parent))).json() == {}
        named = {"signalbox.task": run.task_id}
        document = traces(span("d4" * 16, 8))
        document["resourceSpans"][0]["resource"]["attributes"] = [
            {"key": name, "value": {"stringValue": text}} for name, text in named.items()
        ]
        assert post(server, document).json() == {}
        one = [{"key": "signalbox.task", "value": {"stringValue": run.task_id}}]
        assert post(server, traces(span("d6" * 16, 10, attributes=one), span("d6" * 16, 11))).json() == {}
        assert post(server, traces(span("d5" * 16, 9, traceState=f"x=1,signalbox={run.task_id}"))).json() == {}
    spans = spans_of(server.store, run.task_id)
    assert {spans[f"step {number}"].parent_span_id for number in (7, 8, 9, 10)} == {parent}
    assert list(spans_of(server.store, "d6" * 16)) == ["step 11"]
    task = task_of(server.store, run.task_id)
    assert (task.title, task.status, task.spans_total) == ("the run", "done", 5)


def test_a_pending_span_runs_until_its_end_arrives(server: Server) -> None:
    trace = "e6" * 16

    def pending(number: int, real: int, above: int) -> dict[str, Any]:
        attributes = [
            {"key": "logfire.span_type", "value": {"stringValue": "pending_span"}},
            {"key": "logfire.pending_parent_id", "value": {"stringValue": f"{above:016x}"}},
        ]
        return span(trace, number, real, name=f"step {real}", attributes=attributes)

    assert post(server, traces(pending(101, 1, 0), pending(102, 2, 1))).json() == {}
    task = task_of(server.store, trace)
    assert (task.title, task.spans_total, task.spans_open) == ("step 1", 2, 2)
    assert post(server, traces(span(trace, 2, 1), span(trace, 1))).json() == {}
    task = task_of(server.store, trace)
    assert (task.spans_total, task.spans_open) == (2, 0)


def test_a_trace_is_complete_after_a_quiet_period_and_goes_on_when_more_arrives(quick_server: Server) -> None:
    trace = "f7" * 16

    def now() -> Task:
        return task_of(quick_server.store, trace)

    broken = {"status": {"code": 2, "message": "no stock"}}
    assert post(quick_server, traces(span(trace, 2, 1))).json() == {}
    assert "root span not received yet" in httpx.get(f"{quick_server.url}/tasks/{trace}").text
    assert post(quick_server, traces(span(trace, 1, **broken))).json() == {}
    wait_until(lambda: now().status == "failed")
    assert (now().error, now().started_at, now().ended_at) == (
        "no stock",
        "2025-11-20T12:00:00.000000Z",
        "2025-11-20T12:00:01.000000Z",
    )
    assert "trace complete after 1 s of quiet" in httpx.get(f"{quick_server.url}/tasks/{trace}").text
    assert post(quick_server, traces(span(trace, 3, 1, endTimeUnixNano="1763640003000000000"))).json() == {}
    assert now().status == "running"
    wait_until(lambda: now().status == "failed")
    assert now().ended_at == "2025-11-20T12:00:03.000000Z"


def test_the_second_port_takes_only_otlp(quick_server: Server) -> None:
    second = f"http://127.0.0.1:{quick_server.settings['otlp_port']}"
    response = httpx.post(f"{second}/v1/traces", json=traces(span("a8" * 16, 1)))
    assert (response.status_code, response.json()) == (200, {})
    assert httpx.get(f"{second}/tasks").status_code == 404
    assert httpx.get(f"{second}/api/tasks").status_code == 404
    assert any("OTLP is received on" in line for line in quick_server.lines)


def test_a_token_selects_the_project_and_limits_the_tasks(quick_server: Server) -> None:
    """The last test of the module, because the server asks for tokens from now on."""
    server, trace = quick_server, "a9" * 16
    for name in ("ours", "theirs"):
        project(server.store, name)
    ours = token(server.store, "ours", project_id="ours", scopes=("emit",))
    theirs = token(server.store, "theirs", project_id="theirs", scopes=("emit",))
    reader = token(server.store, "reader", scopes=("read",))
    everywhere = token(server.store, "everywhere", scopes=("emit",))
    wait_until_guarded(server)
    assert post(server, traces(span(trace, 1))).status_code == 401
    assert post(server, traces(span(trace, 1)), **reader).status_code == 403
    assert post(server, traces(span(trace, 1)), **ours).json() == {}
    assert task_of(server.store, trace).project_id == "ours"
    assert post(server, traces(span(trace, 2, 1)), **theirs).status_code == 403
    assert task_of(server.store, trace).spans_total == 1
    both = traces(span(trace, 2, 1), span("b0" * 16, 1))
    partial = post(server, both, **theirs).json()["partialSuccess"]
    assert (partial["rejectedSpans"], "right to emit" in partial["errorMessage"]) == ("1", True)
    assert task_of(server.store, "b0" * 16).project_id == "theirs"
    document = traces(span("b1" * 16, 1))
    document["resourceSpans"][0]["resource"]["attributes"] = [
        {"key": "signalbox.project", "value": {"stringValue": "theirs"}}
    ]
    assert post(server, document, **ours).status_code == 403
    assert post(server, document, **everywhere).json() == {}
    assert task_of(server.store, "b1" * 16).project_id == "theirs"
