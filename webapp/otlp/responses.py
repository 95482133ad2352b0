"""Responses of OTLP/HTTP, in the content type of their requests: `Export…ServiceResponse` with a partial success."""

from __future__ import annotations

from typing import Literal

import msgspec

from signalbox.webapp.http.otlp_status import bytes_field, varint_field

Signal = Literal["spans", "logRecords"]


def export_response(signal: Signal, rejected: int, message: str, *, json: bool) -> bytes:
    """Return the body of a response. Without a message it is empty, because everything was accepted."""
    if json:
        if not message:
            return b"{}"
        name = "rejectedSpans" if signal == "spans" else "rejectedLogRecords"
        # 64-bit integers are text in the JSON of protobuf.
        return msgspec.json.encode({"partialSuccess": {name: str(rejected), "errorMessage": message}})
    if not message:
        return b""
    return bytes_field(1, varint_field(1, rejected) + bytes_field(2, message.encode(errors="replace")))
