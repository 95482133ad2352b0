"""`/api/openapi.json`: the OpenAPI 3.1 document of the API, made of the routes of the app.

Each route declares what it takes and answers (`webapp/http/endpoint.py`) and what it needs (`webapp/auth/access.py`).
OpenAPI has no WebSockets: the extension `x-websockets` describes them in the form of `paths`.
"""

from __future__ import annotations

from typing import Any

from quart import Blueprint, current_app, request

from signalbox.webapp.api.openapi.document import describe
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.guard import directory
from signalbox.webapp.http.endpoint import endpoint

blueprint = Blueprint("openapi", __name__, url_prefix="/api")

__all__ = ["blueprint", "describe"]


@blueprint.get("/openapi.json")
@needs("read")
@endpoint("Read this document.")
async def document() -> dict[str, Any]:
    found = describe(current_app)
    # While nobody has to say who they are, a request without credentials is one that is allowed.
    nobody: list[dict[str, Any]] = [] if directory().guarded else [{}]
    return found | {"servers": [{"url": request.root_path or "/"}], "security": [*found["security"], *nobody]}
