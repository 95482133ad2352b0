"""`/v1/traces` and `/v1/logs`: OTLP/HTTP, as the exporters of OpenTelemetry's SDKs and collectors send it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import msgspec
from quart import Blueprint, Response, request

from signalbox.webapp.acts.received_traces import store_records, store_spans
from signalbox.webapp.auth.access import needs
from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.endpoint import endpoint
from signalbox.webapp.http.otlp_status import JSON, PROTOBUF
from signalbox.webapp.http.refusals import ExtraMissing, NotOtlp
from signalbox.webapp.otlp import json_format, protobuf_format
from signalbox.webapp.otlp.received import Received
from signalbox.webapp.otlp.responses import Signal, export_response

blueprint = Blueprint("api_otlp", __name__, url_prefix="/v1")

Read = Callable[[bytes], Received]


class RejectedSpans(msgspec.Struct, rename="camel"):
    """How many spans were not stored, and why."""

    rejected_spans: str
    error_message: str


class TracesResponse(msgspec.Struct, rename="camel"):
    """The response to spans. `partialSuccess` is absent if all of them were stored."""

    partial_success: RejectedSpans | msgspec.UnsetType = msgspec.UNSET


class RejectedRecords(msgspec.Struct, rename="camel"):
    """How many log records were not stored, and why."""

    rejected_log_records: str
    error_message: str


class LogsResponse(msgspec.Struct, rename="camel"):
    """The response to log records. `partialSuccess` is absent if all of them were stored."""

    partial_success: RejectedRecords | msgspec.UnsetType = msgspec.UNSET


@blueprint.post("/traces")
@needs("emit", body="max_otlp_body")
@endpoint("Receive spans in OTLP.", raises=(BadRequest, NotOtlp, ExtraMissing), receives_file=True)
async def traces() -> TracesResponse:
    """The body is an `ExportTraceServiceRequest` in protobuf or JSON, and the response has the same encoding."""
    readers = {PROTOBUF: protobuf_format.spans_in, JSON: json_format.spans_in}
    response: TracesResponse = await _receive("spans", readers, store_spans)
    return response


@blueprint.post("/logs")
@needs("emit", body="max_otlp_body")
@endpoint("Receive log records in OTLP.", raises=(BadRequest, NotOtlp, ExtraMissing), receives_file=True)
async def logs() -> LogsResponse:
    """The body is an `ExportLogsServiceRequest` in protobuf or JSON, and the response has the same encoding."""
    readers = {PROTOBUF: protobuf_format.records_in, JSON: json_format.records_in}
    response: LogsResponse = await _receive("logRecords", readers, store_records)
    return response


async def _receive(signal: Signal, readers: Mapping[str, Read], store: Callable[[Received], Awaitable[None]]) -> Any:
    """Read and store the body, and return the response in its encoding."""
    read = readers.get(request.mimetype)
    if read is None:
        raise NotOtlp(request.mimetype)
    body = cast(bytes, await request.get_data(cache=False, as_text=False))
    # In a thread, because a large request takes a second, and streams must go on meanwhile.
    received = await asyncio.to_thread(read, body)
    await store(received)
    is_json = request.mimetype == JSON
    encoded = export_response(signal, received.rejected, received.message, json=is_json)
    return Response(encoded, content_type=JSON if is_json else PROTOBUF)
