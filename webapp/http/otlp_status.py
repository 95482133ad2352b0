"""Errors of OTLP/HTTP: the message `google.rpc.Status`, in protobuf or in JSON, as the request.

The messages that the server sends have few fields, so they are encoded here, and an error needs no library.
"""

from __future__ import annotations

import msgspec
from quart import Response

PREFIX = "/v1/"
"""The beginning of the paths of OTLP/HTTP."""

PROTOBUF, JSON = "application/x-protobuf", "application/json"

_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 408: 4, 413: 3, 415: 3, 429: 8, 501: 12, 503: 14}
"""The code of gRPC for each HTTP status. Others are 13, an internal error."""


def is_otlp(path: str) -> bool:
    """Return whether a path belongs to OTLP/HTTP."""
    return path.startswith(PREFIX)


def status_response(status: int, message: str, media_type: str) -> Response:
    """Return an error as `Status`: in protobuf if the request was in protobuf, else in JSON."""
    code = _CODES.get(status, 13)
    if media_type == PROTOBUF:
        return Response(
            varint_field(1, code) + bytes_field(2, message.encode(errors="replace")), status, content_type=PROTOBUF
        )
    body = msgspec.json.encode({"code": code, "message": message})
    return Response(body, status, content_type=JSON)


def varint_field(number: int, value: int) -> bytes:
    """Return a field of protobuf with an integer, which is absent if it is 0."""
    return _varint(number << 3) + _varint(value) if value else b""


def bytes_field(number: int, value: bytes) -> bytes:
    """Return a field of protobuf with a text, bytes or a message."""
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
