"""Divides a request in JSON into its spans or log records, so that only one of them is decoded at a time.

What is decoded at once stops the event loop meanwhile, also in a thread: 16 MB of different names took half a second.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import TypeVar

import msgspec

from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.json_density import check_density
from signalbox.webapp.otlp.json_fields import Object
from signalbox.webapp.otlp.received import MAX_FIELDS_OF_ONE, SMALL

T = TypeVar("T")

MAX_CONTAINERS = 800_000
"""Maximum lists and objects in a request. Each attribute has two objects, in about 60 bytes."""

MAX_NAMES = 1_000_000
"""Maximum names of fields in a request. Each attribute has three."""

MAX_COMMAS = 1_000_000
"""Maximum commas between values in a request. Each attribute has two."""

UTF8_SLICE = 1024 * 1024
"""Bytes that are checked at once, so that the texts of a request are never in memory together."""

_NONE = msgspec.Raw(b"null")


class Parts(msgspec.Struct, rename="camel"):
    """The fields of a request, of its resources and of its scopes that are not decoded yet. Others are ignored."""

    resource_spans: msgspec.Raw = _NONE
    resource_logs: msgspec.Raw = _NONE
    resource: msgspec.Raw = _NONE
    scope_spans: msgspec.Raw = _NONE
    scope_logs: msgspec.Raw = _NONE
    scope: msgspec.Raw = _NONE
    spans: msgspec.Raw = _NONE
    log_records: msgspec.Raw = _NONE


_parts = msgspec.json.Decoder(Parts)
_list: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_object = msgspec.json.Decoder(Object)


def parts_of(body: bytes) -> Parts:
    """Return the parts of a request. Raises BadRequest."""
    if not body:
        raise BadRequest("the body must be a JSON object; it is empty")
    check_density(body, MAX_CONTAINERS, MAX_NAMES, MAX_COMMAS)
    _check_utf8(body)
    return _decoded(_parts, msgspec.Raw(body), "the body", "a JSON object")


def parts_in(value: msgspec.Raw, path: str) -> Iterator[tuple[Parts, str]]:
    """Yield the parts of each object in the list at `path`, with the path of its fields. Raises BadRequest."""
    for place, one in enumerate(values_in(value, path)):
        where = f"{path}[{place}]"
        yield _decoded(_parts, one, where, "an object"), f"{where}."


def values_in(value: msgspec.Raw, path: str) -> list[msgspec.Raw]:
    """Return the values of the list at `path`, an empty one for null. Raises BadRequest."""
    return [] if value == _NONE else _decoded(_list, value, path, "a list")


def object_of(value: msgspec.Raw, path: str, *, optional: bool = False) -> Object:
    """Return the object at `path`; for null an empty one if it is `optional`.

    Raises BadRequest, and TooDense if the object has too many fields.
    """
    if optional and value == _NONE:
        return {}
    if len(memoryview(value)) > SMALL:
        check_density(bytes(value), MAX_FIELDS_OF_ONE, MAX_FIELDS_OF_ONE, MAX_FIELDS_OF_ONE)
    return _decoded(_object, value, path, "an object")


def _check_utf8(body: bytes) -> None:
    """Raise BadRequest unless the body is UTF-8, because texts in fields that are ignored are never decoded."""
    decoder, view = codecs.getincrementaldecoder("utf-8")(), memoryview(body)
    try:
        for start in range(0, len(body), UTF8_SLICE):
            decoder.decode(view[start : start + UTF8_SLICE])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise BadRequest(f"the body is not valid JSON: {error.reason} in UTF-8") from None


def _decoded(decoder: msgspec.json.Decoder[T], value: msgspec.Raw, path: str, wanted: str) -> T:
    try:
        return decoder.decode(value)
    except msgspec.ValidationError:
        start = bytes(memoryview(value)[:60]).strip().decode(errors="replace")
        raise BadRequest(f"{path} must be {wanted}, not {start}", path) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"the body is not valid JSON: {error}") from None
    except RecursionError:
        raise BadRequest("the body is nested too deeply") from None
