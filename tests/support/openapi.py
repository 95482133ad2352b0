"""The OpenAPI document of a server, and requests whose responses are checked against it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import httpx

from signalbox.webapp.api.openapi import describe
from signalbox.webapp.app import create_app
from signalbox.webapp.settings import Settings
from tests.support.json_schema import Schemas
from tests.support.plain_client import PlainClient

DOCUMENT = describe(create_app(Settings()))
SCHEMAS = Schemas(DOCUMENT)
OPERATIONS = {
    f"{method.upper()} {path}": one for path, methods in DOCUMENT["paths"].items() for method, one in methods.items()
}
PARTS = {
    "task_id": "run",
    "session_id": "run",
    "run_id": "run",
    "project_id": "default",
    "request_id": "r1",
    "tool_name": "rm",
    "agent": "claude-code",
}


def address(name: str, other: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return the path of the operation `name` for the run; `other` replaces some of the path parameters."""
    parts = {"phase": "executing", "tool_name": "rm", "kind": "build", "seq": "8", **PARTS, **other}
    return re.sub(r"\{(\w+)\}", lambda part: parts[part[1]], name.partition(" ")[2])


def check(client: PlainClient, name: str, url: str, **options: Any) -> httpx.Response:
    """Send a request and check its response against the document. Only the headers of a stream are read."""
    operation = OPERATIONS[name]
    response = client.request(name.partition(" ")[0], url, **options)
    media_type = response.headers.get("content-type", "").partition(";")[0]
    declared = operation["responses"].get(str(response.status_code))
    assert declared is not None, f"{response.status_code} is not declared: {url[:300]} {options} {response.text[:300]}"
    assert response.status_code not in (500, 503), f"{url[:300]} {options}"
    content = declared.get("content", {})
    if not content:
        assert response.content == b""
        return response
    assert media_type in content, f"{media_type} is not declared for {response.status_code}"
    if media_type == "application/json":
        problem = SCHEMAS.problem(response.json(), content[media_type]["schema"])
        assert problem is None, f"{url[:300]}: {problem}"
    return response
