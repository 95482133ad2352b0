"""`/static/…`: scripts, styles and pictures, at addresses with a hash of their content."""

from __future__ import annotations

from quart import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from signalbox.webapp.auth.access import public
from signalbox.webapp.http.assets import load

blueprint = Blueprint("assets", __name__)


@blueprint.get("/static/<path:path>")
@public
async def static(path: str) -> Response:
    try:
        found = load(path)
    except KeyError:
        raise NotFound from None
    response = Response(b"", content_type=f"{found.content_type}; charset=utf-8")
    response.set_etag(found.version)
    response.headers["Vary"] = "Accept-Encoding"
    # Modules that people embed have no version in their address, so caches must revalidate them.
    named = request.args.get("v") == found.version
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if named else "no-cache"
    if found.version in request.if_none_match:
        response.status_code = 304
    elif request.accept_encodings["gzip"] > 0:
        response.set_data(found.packed)
        response.headers["Content-Encoding"] = "gzip"
    else:
        response.set_data(found.body)
    return response
