"""Static files, read once: each under an address that carries a hash of its content, so that browsers keep it for good.

The style sheets are many files and one answer: `css/app.css`, which declares the layers, followed by the others.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from functools import cache
from pathlib import Path

import msgspec
from quart import Quart, Response, request
from werkzeug.exceptions import NotFound

ROOT = Path(__file__).parent / "static"
STYLES = "css/app.css"
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


class Asset(msgspec.Struct, frozen=True):
    """One static file as it is served."""

    body: bytes
    packed: bytes
    content_type: str
    version: str


@cache
def load(path: str) -> Asset:
    """The file at `path` below `static/`. Raises KeyError."""
    file = _files()[path]
    body = file.read_bytes()
    if path == STYLES:
        others = (other for other in sorted(file.parent.glob("*.css")) if other != file)
        body = b"\n".join([body, *(other.read_bytes() for other in others)])
    content_type = TYPES.get(file.suffix) or mimetypes.guess_type(path)[0] or "application/octet-stream"
    return Asset(body, gzip.compress(body, mtime=0), content_type, hashlib.sha256(body).hexdigest()[:12])


@cache
def _files() -> dict[str, Path]:
    return {file.relative_to(ROOT).as_posix(): file for file in ROOT.rglob("*") if file.is_file()}


def asset(path: str) -> str:
    """The address of the file at `path` below `static/`."""
    return f"/static/{path}?v={load(path).version}"


def install(app: Quart) -> None:
    """Serve the static files."""

    @app.get("/static/<path:path>")
    async def static(path: str) -> Response:
        try:
            found = load(path)
        except KeyError:
            raise NotFound from None
        response = Response(b"", content_type=f"{found.content_type}; charset=utf-8")
        response.set_etag(found.version)
        response.headers["Vary"] = "Accept-Encoding"
        # Modules import each other without a version: those are asked for again, and answered 304.
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
