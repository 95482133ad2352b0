"""Test the reading of OTLP in JSON and in protobuf."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import msgspec
import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from signalbox.store.traces import SpanLink
from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.otlp import json_format, json_pieces, protobuf_format, protobuf_pieces
from signalbox.webapp.otlp import received as received_items
from signalbox.webapp.otlp.received import Received

TRACE, SPAN, PARENT = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174", "eee19b7ec3c1b173"

TRACES: dict[str, Any] = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "my.service"}}]},
            "scopeSpans": [
                {
                    "scope": {
                        "name": "my.library",
                        "version": "1.0.0",
                        "attributes": [{"key": "my.scope.attribute", "value": {"stringValue": "some scope attribute"}}],
                    },
                    "spans": [
                        {
                            "traceId": TRACE.upper(),
                            "spanId": SPAN.upper(),
                            "parentSpanId": PARENT.upper(),
                            "name": "I'm a server span",
                            "startTimeUnixNano": "1544712660000000000",
                            "endTimeUnixNano": 1544712661000000000,
                            "kind": 2,
                            "status": {"code": 2, "message": "broken"},
                            "attributes": [
                                {"key": "my.span.attr", "value": {"stringValue": "some value"}},
                                {"key": "count", "value": {"intValue": "9007199254740993"}},
                                {"key": "small", "value": {"intValue": 7}},
                                {"key": "share", "value": {"doubleValue": 0.5}},
                                {"key": "on", "value": {"boolValue": True}},
                                {"key": "raw", "value": {"bytesValue": "aGk="}},
                                {"key": "none", "value": {}},
                                {"key": "list", "value": {"arrayValue": {"values": [{"intValue": 1}]}}},
                                {
                                    "key": "map",
                                    "value": {"kvlistValue": {"values": [{"key": "a", "value": {"intValue": 1}}]}},
                                },
                            ],
                            "events": [
                                {
                                    "name": "loaded",
                                    "timeUnixNano": "1544712660500000000",
                                    "attributes": [{"key": "n", "value": {"intValue": "3"}}],
                                }
                            ],
                            "links": [{"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331"}],
                            "traceState": "vendor=1",
                            "droppedEventsCount": 4,
                        }
                    ],
                }
            ],
        }
    ]
}
"""The example of the specification, https://github.com/open-telemetry/opentelemetry-proto, with more of each kind."""

LOGS: dict[str, Any] = {
    "resourceLogs": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "my.service"}}]},
            "scopeLogs": [
                {
                    "scope": {"name": "my.library", "version": "1.0.0"},
                    "logRecords": [
                        {
                            "timeUnixNano": "1544712660300000000",
                            "observedTimeUnixNano": "1544712660300000000",
                            "severityNumber": 10,
                            "severityText": "Information",
                            "traceId": TRACE.upper(),
                            "spanId": SPAN.upper(),
                            "body": {"stringValue": "Example log record"},
                            "attributes": [{"key": "string.attribute", "value": {"stringValue": "some string"}}],
                        }
                    ],
                }
            ],
        }
    ]
}


def read(document: object) -> Received:
    return json_format.spans_in(json.dumps(document).encode())


def with_span(**fields: object) -> dict[str, Any]:
    """Return the example with other fields in its span."""
    document = json.loads(json.dumps(TRACES))
    document["resourceSpans"][0]["scopeSpans"][0]["spans"][0] |= fields
    return document  # type: ignore[no-any-return]


def to_protobuf(kind: Any, document: dict[str, Any]) -> bytes:
    """Return the same request in protobuf: protobuf's own JSON has ids in base64."""

    def ids(value: Any) -> Any:
        if isinstance(value, dict):
            found = {key: ids(one) for key, one in value.items()}
            for name in ("traceId", "spanId", "parentSpanId"):
                if name in found:
                    import base64

                    found[name] = base64.b64encode(bytes.fromhex(found[name])).decode()
            return found
        return [ids(one) for one in value] if isinstance(value, list) else value

    encoded: bytes = ParseDict(ids(document), kind()).SerializeToString()
    return encoded


def test_the_example_of_the_specification_is_read() -> None:
    (span,) = read(TRACES).spans
    assert (span.trace_id, span.span_id, span.parent_span_id) == (TRACE, SPAN, PARENT)
    assert (span.name, span.kind, span.status, span.status_message) == (
        "I'm a server span",
        "server",
        "error",
        "broken",
    )
    assert (span.started_ns, span.ended_ns) == (1544712660000000000, 1544712661000000000)
    assert span.attributes == {
        "my.span.attr": "some value",
        "count": 9007199254740993,
        "small": 7,
        "share": 0.5,
        "on": True,
        "raw": "aGk=",
        "none": None,
        "list": [1],
        "map": {"a": 1},
    }
    assert [(event.name, event.attributes) for event in span.events] == [("loaded", {"n": 3})]
    assert span.links == (SpanLink(trace_id="0af7651916cd43dd8448eb211c80319c", span_id="b7ad6b7169203331"),)
    assert (span.resource, span.scope.name, span.trace_state) == (
        {"service.name": "my.service"},
        "my.library",
        "vendor=1",
    )
    assert span.dropped == {"events": 4}


def test_protobuf_gives_the_same_spans_and_records() -> None:
    assert protobuf_format.spans_in(to_protobuf(ExportTraceServiceRequest, TRACES)) == read(TRACES)
    records = json_format.records_in(json.dumps(LOGS).encode())
    assert protobuf_format.records_in(to_protobuf(ExportLogsServiceRequest, LOGS)) == records
    assert [(one.body, one.severity, one.trace_id) for one in records.records] == [("Example log record", 10, TRACE)]


@pytest.mark.parametrize(
    "fields",
    [
        {"unknown": {"deep": [1]}},
        {"kind": None, "status": None, "attributes": None, "events": None},
        {"kind": 99},
        {"flags": 257},
    ],
)
def test_unknown_fields_and_nulls_are_ignored(fields: dict[str, object]) -> None:
    assert read(with_span(**fields)).rejected == 0


def test_names_with_underscores_are_unknown_fields() -> None:
    assert read({"resource_spans": TRACES["resourceSpans"]}).spans == []


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"kind": "SPAN_KIND_SERVER"}, "kind"),
        ({"startTimeUnixNano": "soon"}, "startTimeUnixNano"),
        ({"startTimeUnixNano": -1}, "startTimeUnixNano"),
        ({"startTimeUnixNano": 1.5}, "startTimeUnixNano"),
        ({"startTimeUnixNano": 2**64}, "startTimeUnixNano"),
        ({"startTimeUnixNano": True}, "startTimeUnixNano"),
        ({"name": 7}, "name"),
        ({"traceId": 7}, "traceId"),
        ({"attributes": {"a": 1}}, "attributes"),
        ({"attributes": ["a"]}, "attributes[0]"),
        ({"attributes": [{"key": "a", "value": "text"}]}, "attributes[0].value"),
        ({"attributes": [{"key": "a", "value": {"intValue": "x"}}]}, "attributes[0].value.intValue"),
        ({"attributes": [{"key": "a", "value": {"intValue": 2**63}}]}, "attributes[0].value.intValue"),
        ({"attributes": [{"key": "a", "value": {"boolValue": "true"}}]}, "attributes[0].value.boolValue"),
        ({"attributes": [{"key": "a", "value": {"doubleValue": "much"}}]}, "attributes[0].value.doubleValue"),
        ({"status": {"code": "STATUS_CODE_ERROR"}}, "status.code"),
        ({"events": [7]}, "events[0]"),
    ],
)
def test_a_value_of_a_wrong_type_is_refused_with_the_place(fields: dict[str, object], named: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read(with_span(**fields))
    assert f"resourceSpans[0].scopeSpans[0].spans[0].{named}" in str(refused.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"traceId": ""},
        {"traceId": "0" * 32},
        {"traceId": "abcd"},
        {"traceId": "W47/95gDgQPSabYzgT/GDA=="},
        {"spanId": "0" * 16},
        {"spanId": "zz" * 8},
        {"parentSpanId": "1234"},
    ],
)
def test_a_span_with_an_invalid_id_is_rejected_and_the_others_are_kept(fields: dict[str, object]) -> None:
    document = with_span(**fields)
    document["resourceSpans"] += TRACES["resourceSpans"]
    received = read(document)
    assert (len(received.spans), received.rejected) == (1, 1)
    assert "id" in received.message


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b"\xff", b"[" * 100_000, b'{"resourceSpans":7}'])
def test_a_body_that_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        json_format.spans_in(body)


def test_values_nested_too_deeply_are_refused() -> None:
    value: dict[str, Any] = {"intValue": 1}
    for _ in range(300):
        value = {"arrayValue": {"values": [value]}}
    with pytest.raises(BadRequest, match="100 levels"):
        read(with_span(attributes=[{"key": "a", "value": value}]))


@pytest.mark.parametrize("body", [b"\xff\xff\xff", b"{}", b"\x0a\x7f", b'{"resourceSpans":[]}'])
def test_a_body_that_is_no_protobuf_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest, match="protobuf"):
        protobuf_format.spans_in(body)


def sized(number: int, content: bytes) -> bytes:
    """Return a field with this content in protobuf."""
    size, left = [], len(content)
    while left > 127:
        size.append(left & 127 | 128)
        left >>= 7
    return bytes([number << 3 | 2, *size, left]) + content


SPAN_START = sized(1, b"t" * 16) + sized(2, b"s" * 8) + sized(5, b"name")


@pytest.mark.parametrize("inner", [9, 11, 13])
def test_a_span_with_countless_fields_is_rejected_and_the_others_are_kept(inner: int) -> None:
    spans = sized(2, SPAN_START) + sized(2, SPAN_START + sized(inner, b"") * 100_000)
    received = protobuf_format.spans_in(sized(1, sized(2, spans)))
    assert (len(received.spans), received.rejected) == (1, 1)
    assert received.message == "a span may have at most 100,000 fields, with those in it"


def test_a_span_with_countless_names_in_json_is_rejected_and_the_others_are_kept() -> None:
    document = with_span(**{str(number): 0 for number in range(100_000)})
    document["resourceSpans"][0]["scopeSpans"][0]["spans"].append(
        TRACES["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    )
    received = read(document)
    assert (len(received.spans), received.rejected) == (1, 1)
    assert received.message == "a span may have at most 100,000 fields, with those in it"


@pytest.mark.parametrize("place", ["resource", "scope"])
def test_a_resource_and_a_scope_in_json_have_a_limited_number_of_fields(place: str) -> None:
    of_resource = {"resource": {}, "scopeSpans": [{"scope": {}, "spans": []}]}
    inside: Any = of_resource if place == "resource" else of_resource["scopeSpans"][0]  # type: ignore[index]
    inside[place] = {str(number): 0 for number in range(100_001)}
    with pytest.raises(BadRequest, match="at most 100,000 are allowed"):
        read({"resourceSpans": [of_resource]})


def test_fields_that_nobody_reads_are_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name in a request is decoded only inside of a span, a resource or a scope."""
    junk = {str(number): [0] * 10 for number in range(1000)}
    of_scope = {"spans": [with_span()["resourceSpans"][0]["scopeSpans"][0]["spans"][0]], "junk": junk}
    document = {"resourceSpans": [{"scopeSpans": [of_scope], "junk": junk}], "junk": junk}
    decoded: list[int] = []

    def counting(value: msgspec.Raw, path: str, **named: Any) -> Any:
        decoded.append(len(bytes(value)))
        return json_pieces.object_of(value, path, **named)

    monkeypatch.setattr(json_format, "object_of", counting)
    assert len(read(document).spans) == 1
    assert max(decoded) < 2000


@pytest.mark.parametrize("encoding", ["json", "protobuf"])
@pytest.mark.parametrize("count", [20, 21])
def test_a_request_has_a_limited_number_of_spans(count: int, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(received_items, "MAX_ITEMS", 20)
    document = {"resourceSpans": TRACES["resourceSpans"] * count}
    body = to_protobuf(ExportTraceServiceRequest, document) if encoding == "protobuf" else json.dumps(document).encode()
    reading = protobuf_format.spans_in if encoding == "protobuf" else json_format.spans_in
    if count == 20:
        assert len(reading(body).spans) == 20
        return
    with pytest.raises(BadRequest, match="more than 20 spans or log records: send several requests"):
        reading(body)


def test_a_long_value_is_no_reason_to_reject_a_span() -> None:
    text = sized(9, sized(1, b"key") + sized(2, sized(1, b"\x0a\x00" * 200_000)))
    (span,) = protobuf_format.spans_in(sized(1, sized(2, sized(2, SPAN_START + text)))).spans
    assert len(span.attributes["key"]) == 400_000


@pytest.mark.parametrize("levels", [0, 1, 2])
def test_a_request_of_countless_empty_messages_is_refused_before_it_is_decoded(
    levels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protobuf_pieces, "MAX_FIELDS", 1000)
    body = (b"\x0a\x00", b"\x12\x00", b"\x12\x00")[levels] * 1001
    for number in (1, 2)[:levels][::-1]:
        body = sized(number, body)
    with pytest.raises(BadRequest, match="more than 1,000 spans or log records"):
        protobuf_format.spans_in(body)


@pytest.mark.parametrize("of", [1, 2])
def test_a_resource_and_a_scope_have_a_limited_number_of_fields(of: int) -> None:
    many = sized(1, sized(1, b"") * 100_001) if of == 1 else sized(2, sized(1, sized(3, b"") * 100_001))
    with pytest.raises(BadRequest, match="may have at most 100,000 fields"):
        protobuf_format.spans_in(sized(1, many))


def test_a_resource_in_two_parts_is_one_resource() -> None:
    """Protobuf joins the parts of a message that occurs twice."""
    pairs = [sized(1, sized(1, sized(1, name) + sized(2, sized(1, b"x")))) for name in (b"a", b"b")]
    (span,) = protobuf_format.spans_in(sized(1, b"".join(pairs) + sized(2, sized(2, SPAN_START)))).spans
    assert span.resource == {"a": "x", "b": "x"}


@pytest.mark.parametrize("body", [b"\x0a\x05\x12\x7f", b"\x0b", b"\x09\x00", b"\x08" + b"\xff" * 11, b"\x0a"])
def test_a_truncated_message_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest, match="truncated"):
        protobuf_format.spans_in(body)


def test_a_log_record_with_invalid_ids_belongs_to_no_trace() -> None:
    document = json.loads(json.dumps(LOGS))
    document["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["traceId"] = "1234"
    (record,) = json_format.records_in(json.dumps(document).encode()).records
    assert (record.trace_id, record.span_id) == ("", "")


@pytest.mark.parametrize("encoding", ["json", "protobuf"])
def test_what_all_spans_of_a_request_share_is_cut_before_it_is_copied_to_each(encoding: str) -> None:
    attributes = [{"key": "service.name", "value": {"stringValue": "shop"}}]
    attributes += [{"key": f"big{number}", "value": {"stringValue": "x" * 50_000}} for number in range(4)]
    span = {"traceId": "ab" * 16, "spanId": "cd" * 8}
    scoped = {"scope": {"name": "s" * 50_000, "version": "v" * 50_000}, "spans": [span]}
    document = {"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": [scoped]}]}
    if encoding == "json":
        received = json_format.spans_in(json.dumps(document).encode())
    else:
        ids = {"traceId": b64encode(b"\xab" * 16).decode(), "spanId": b64encode(b"\xcd" * 8).decode()}
        scoped["spans"] = [ids]
        request = ParseDict(document, ExportTraceServiceRequest())
        received = protobuf_format.spans_in(request.SerializeToString())
    (found,) = received.spans
    assert found.resource["service.name"] == "shop"
    assert found.resource["truncated"] > 200_000
    assert len(msgspec.json.encode(found)) < 6000
