"""Compression of whole responses. Streams are compressed message by message: see `webapp.live.stream_encoding`."""

from __future__ import annotations

import gzip

from quart import Quart, Response, request
from quart.wrappers.response import DataBody

from signalbox.webapp.http.zstd_frames import zstd_frame

MIN_BYTES = 1024
TYPES = frozenset({"text/html", "text/plain", "application/json"})


def install(app: Quart) -> None:
    """Compress pages and JSON for clients that accept it."""

    @app.after_request
    async def compress(response: Response) -> Response:
        if response.mimetype not in TYPES:
            return response
        if "Content-Encoding" in response.headers or not isinstance(response.response, DataBody):
            return response
        response.headers.add("Vary", "Accept-Encoding")
        accepted = request.accept_encodings
        body = await response.get_data(as_text=False)
        if len(body) < MIN_BYTES:
            return response
        if accepted["zstd"] > 0:
            response.set_data(zstd_frame(body))
            response.headers["Content-Encoding"] = "zstd"
        elif accepted["gzip"] > 0:
            response.set_data(gzip.compress(body, 5, mtime=0))
            response.headers["Content-Encoding"] = "gzip"
        return response
