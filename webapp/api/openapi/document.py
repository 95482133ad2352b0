"""Builds the whole OpenAPI document: the paths of an app and the schemas that they refer to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from quart import Quart
from werkzeug.routing import Rule

from signalbox.webapp import __version__
from signalbox.webapp.api.openapi.operation import operation
from signalbox.webapp.api.openapi.responses import ERROR_TYPES, Spec
from signalbox.webapp.auth.access import Access, access_of
from signalbox.webapp.http.endpoint import JSON, Endpoint, endpoint_of

REF = "#/components/schemas/{name}"
SECURITY_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token, or the token that a log-in returned."},
    "query_token": {
        "type": "apiKey",
        "in": "query",
        "name": "token",
        "description": "For clients that cannot send headers.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "signalbox_session",
        "description": "The session of a browser that is logged in.",
    },
}
_KEY = "signalbox_openapi"
_VARIABLE = re.compile(r"<(?:[^:>]*:)?([^>]*)>")


def describe(app: Quart) -> Spec:
    """Return the document of `app`, without the server's address. It is built once."""
    if _KEY not in app.extensions:
        app.extensions[_KEY] = _describe(app)
    found: Spec = app.extensions[_KEY]
    return found


def path_of(rule: Rule) -> str:
    """Return the path of a route in OpenAPI's notation."""
    return _VARIABLE.sub(r"{\1}", rule.rule)


def _describe(app: Quart) -> Spec:
    found = sorted(_declared(app), key=lambda one: path_of(one[0]))
    kinds = tuple(kind for _, declared, _ in found for kind in _types(declared))
    schemas, components = msgspec.json.schema_components((*kinds, *ERROR_TYPES), ref_template=REF)
    schema_of = dict(zip(map(repr, kinds), schemas, strict=False))
    paths: Spec = {}
    sockets: Spec = {}
    for rule, declared, access in found:
        place = sockets if rule.websocket else paths
        described = operation(app, rule, declared, access, lambda kind: schema_of[repr(kind)])
        methods = {"GET"} if rule.websocket else (rule.methods or set()) - {"HEAD", "OPTIONS"}
        for method in sorted(methods):
            place.setdefault(path_of(rule), {})[method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Signalbox",
            "version": __version__,
            "description": "The event logs of long-running task runs.",
        },
        "paths": paths,
        "x-websockets": sockets,
        "components": {"schemas": _cleaned(components), "securitySchemes": SECURITY_SCHEMES},
        "security": [{"token": []}, {"session": []}],
    }


def _declared(app: Quart) -> Iterator[tuple[Rule, Endpoint, Access]]:
    for rule in app.url_map.iter_rules():
        declared, access = endpoint_of(app, rule.endpoint), access_of(app, rule.endpoint)
        if declared is not None and access is not None:
            yield rule, declared, access


def _types(declared: Endpoint) -> Iterator[Any]:
    if declared.body is not None:
        yield declared.body
    if declared.media_type == JSON and declared.result is not None:
        yield declared.result


def _cleaned(schema: Any) -> Any:
    """Return the schema with the line breaks of descriptions removed."""
    if isinstance(schema, dict):
        return {
            name: " ".join(value.split()) if name == "description" and isinstance(value, str) else _cleaned(value)
            for name, value in schema.items()
        }
    return [_cleaned(one) for one in schema] if isinstance(schema, list) else schema
