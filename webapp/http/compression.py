"""Compression of whole responses. Streams are compressed message by message: see `webapp.live.stream_encoding`."""

from __future__ import annotations

import asyncio
import gzip

from quart import Quart, Response, request
from quart.wrappers.response import DataBody

from signalbox.webapp.http.zstd_frames import zstd_frame, zstd_frame_in_thread

MIN_BYTES = 1024
MAX_LOOP_BYTES = 128 * 1024
"""A longer body is compressed in a thread: gzip needs half a second for 2 MB, and other requests would wait."""

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
        body = await response.get_data(as_text=False)
        if len(body) < MIN_BYTES:
            return response
        accepted = request.accept_encodings
        encoding = "zstd" if accepted["zstd"] > 0 else "gzip" if accepted["gzip"] > 0 else None
        if encoding is None:
            return response
        if len(body) > MAX_LOOP_BYTES:
            response.set_data(await asyncio.to_thread(zstd_frame_in_thread if encoding == "zstd" else _gzipped, body))
        else:
            response.set_data(zstd_frame(body) if encoding == "zstd" else _gzipped(body))
        response.headers["Content-Encoding"] = encoding
        return response


def _gzipped(body: bytes) -> bytes:
    return gzip.compress(body, 5, mtime=0)
