"""The words of an OpenAPI document, for routes that answer errors in one shape."""

from __future__ import annotations

from typing import Any

from signalbox.webapp.http.params import LAST_EVENT_ID, MAX_SEQ

Spec = dict[str, Any]

STR_OR_NULL = {"type": ["string", "null"]}
INT, STR, BOOL = {"type": "integer"}, {"type": "string"}, {"type": "boolean"}
FLAG = {"type": "string", "enum": ["0", "1"], "default": "0"}
_ERRORS = {
    400: "A parameter or the body is wrong; `field` names it.",
    401: "Nobody knows who asks: log in, or send a token.",
    403: "The caller does not have the right to do this here.",
    404: "What the address names is not there.",
    409: "The log says otherwise.",
    413: "The body is over the limit.",
    429: "Too many were tried; see Retry-After.",
    503: "The store is busy or gone; see Retry-After.",
}


def route(
    summary: str, schema: Spec | None, parameters: list[Spec], *errors: int, status: int = 200, body: Spec | None = None
) -> Spec:
    """A method of an address: its answer (None: an event stream), and the errors besides those of every route."""
    content: Spec = {"text/event-stream": {}} if schema is None else {"application/json": {"schema": schema}}
    if status == 204:
        content = {}
    error = {"application/json": {"schema": ref("Error")}}
    found: Spec = {
        "summary": summary,
        "parameters": parameters,
        "responses": {str(status): {"description": summary, "content": content}}
        | {str(code): {"description": _ERRORS[code], "content": error} for code in sorted({*errors, 401, 403, 503})},
    }
    if body:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return found


def public(summary: str, schema: Spec) -> Spec:
    """A method of an address that needs nothing."""
    found = route(summary, schema, [])
    for status in ("401", "403"):
        del found["responses"][status]
    return found | {"security": []}


def ref(name: str) -> Spec:
    return {"$ref": f"#/components/schemas/{name}"}


def array(items: Spec) -> Spec:
    return {"type": "array", "items": items}


def record(**properties: Spec) -> Spec:
    return {"type": "object", "properties": properties}


def whole(default: int, low: int, high: int) -> Spec:
    return {"type": "integer", "default": default, "minimum": low, "maximum": high}


def limit(default: int, high: int) -> Spec:
    return query("limit", whole(default, 1, high), "How many at most.")


def query(name: str, schema: Spec, description: str) -> Spec:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def last_event_id() -> list[Spec]:
    """The header and the parameters that say where a stream broke off."""
    at = "The id of the last message, where the stream goes on."
    header = {"name": "Last-Event-ID", "in": "header", "schema": INT, "description": f"{at} Wins over all others."}
    return [
        header,
        *(
            query(name, {"type": "integer", "minimum": 0, "maximum": MAX_SEQ}, f"{at} Wins over since_seq.")
            for name in LAST_EVENT_ID
        ),
    ]


def path(name: str, description: str) -> Spec:
    return {"name": name, "in": "path", "required": True, "schema": STR, "description": description}
