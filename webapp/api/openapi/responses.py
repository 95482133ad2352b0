"""Builds the responses of an operation: those that its route declares, and errors that any route can return."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from werkzeug.exceptions import RequestEntityTooLarge, RequestTimeout
from werkzeug.routing import Rule

from signalbox.store import InvalidEvent, StoreDamaged, StoreMoved, StoreUnavailable, TaskReplaced, UnknownTask
from signalbox.webapp.auth.access import Access
from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.encodings import UnsupportedEncoding
from signalbox.webapp.http.endpoint import JSON, Endpoint
from signalbox.webapp.http.errors import is_programs
from signalbox.webapp.http.otlp_status import PROTOBUF, is_otlp
from signalbox.webapp.http.refusal_table import Refusal, refusals_of
from signalbox.webapp.http.refusals import (
    CrossSite,
    Forbidden,
    NotLoggedIn,
    QuotaExceeded,
    UnknownProject,
    UnsupportedMediaType,
    WrongHost,
)

Spec = dict[str, Any]

_MEANINGS = {
    101: "The connection is a WebSocket from now on.",
    200: "The request succeeded.",
    201: "It was created.",
    202: "The request was accepted; the run will see it.",
    204: "It was done.",
    503: "There are problems.",
}
_PAGE = {"text/html": {"schema": {"type": "string"}}}
_LOGIN = {
    "description": "A browser that is not logged in is sent to the log-in page.",
    "headers": {"Location": {"schema": {"type": "string"}, "required": True}},
    "content": _PAGE,
}
_RETRY_AFTER = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds to wait."}}
_NEXT = {
    "Link": {
        "schema": {"type": "string"},
        "description": 'The address of the next page, with rel="next"; absent on the last page.',
    }
}
_LOCATION = {"Location": {"schema": {"type": "string"}, "description": "The address of the new resource."}}


class ErrorDetail(msgspec.Struct):
    """The error. `field` names the wrong parameter or the wrong field of the body."""

    code: str
    message: str
    field: str | UnsetType = UNSET


class Error(msgspec.Struct):
    """An error."""

    error: ErrorDetail


class Status(msgspec.Struct):
    """An error of OTLP: `google.rpc.Status`, in the encoding of the request. `code` is one of gRPC."""

    code: int
    message: str


ERROR_TYPES = (Error, Status)


def responses(rule: Rule, declared: Endpoint, access: Access, schema_of: Callable[[Any], Spec]) -> Spec:
    """Return the `responses` object of an operation, by status."""
    found: Spec = {str(status): _success(status, declared, schema_of) for status in declared.statuses}
    for status, refusals in _refusals(rule, declared, access).items():
        error: Spec = {"$ref": f"#/components/schemas/{'Status' if is_otlp(rule.rule) else 'Error'}"}
        known = found.get(str(status))
        if known is not None:
            error = {"anyOf": [known["content"][JSON]["schema"], error]}
        found[str(status)] = {
            "description": " ".join(dict.fromkeys(f"`{one.code}`: {one.meaning}" for one in refusals)),
            "content": {JSON: {"schema": error}, **_other_content(rule)},
            **({"headers": _RETRY_AFTER} if status in (429, 503) else {}),
        }
    if access.scope is not None and not is_programs(rule.rule):
        found["303"] = _LOGIN
    return dict(sorted(found.items()))


def _other_content(rule: Rule) -> Spec:
    """Return the content of errors besides JSON: protobuf, a page, or none."""
    if is_otlp(rule.rule):
        return {PROTOBUF: {"schema": {"type": "string", "format": "binary"}}}
    return {} if is_programs(rule.rule) else _PAGE


def _success(status: int, declared: Endpoint, schema_of: Callable[[Any], Spec]) -> Spec:
    found: Spec = {"description": _MEANINGS[status]}
    if status == 101:
        return found
    if declared.media_type != JSON:
        found["content"] = {declared.media_type.partition(";")[0]: {"schema": {"type": "string"}}}
    elif declared.result is not None:
        found["content"] = {JSON: {"schema": schema_of(declared.result)}}
    headers = (_NEXT if declared.pages else {}) | (_LOCATION if declared.located and status == 201 else {})
    return found | ({"headers": headers} if headers else {})


def _refusals(rule: Rule, declared: Endpoint, access: Access) -> dict[int, list[Refusal]]:
    by_status: dict[int, list[Refusal]] = {}
    for kind in _raised(rule, declared, access):
        for refusal in refusals_of(kind):
            by_status.setdefault(refusal.status, []).append(refusal)
    return by_status


def _raised(rule: Rule, declared: Endpoint, access: Access) -> Iterator[type[Exception]]:
    """Yield the exceptions that a request to this route can raise."""
    yield from declared.raises
    yield from (WrongHost, StoreDamaged, StoreUnavailable, StoreMoved)
    if access.scope is not None:
        yield from (NotLoggedIn, Forbidden)
    if declared.query is not None or declared.body is not None:
        yield BadRequest
    if declared.body is not None:
        yield from (RequestTimeout, RequestEntityTooLarge, UnsupportedEncoding, UnsupportedMediaType)
        if access.scope is not None:
            yield QuotaExceeded
    if (rule.methods or set()) & {"POST", "PUT", "DELETE"}:
        yield CrossSite
    if rule.arguments & {"task_id", "session_id", "run_id"} and not access.may_create:
        yield UnknownTask
    if rule.arguments & {"task_id", "session_id"} or "identity" in getattr(declared.query, "__struct_fields__", ()):
        yield TaskReplaced
    if "project_id" in rule.arguments:
        yield UnknownProject
    if access.may_create:
        yield InvalidEvent
