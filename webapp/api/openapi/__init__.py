"""`/api/openapi.json`: the OpenAPI 3.1 document of the API, generated from the routes of the app.

Each route declares its request and response (`webapp/http/endpoint.py`) and its right (`webapp/auth/access.py`).
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
    # While the server has no accounts, requests without credentials are allowed.
    anonymous: list[dict[str, Any]] = [] if directory().guarded else [{}]
    return found | {"servers": [{"url": request.root_path or "/"}], "security": [*found["security"], *anonymous]}
