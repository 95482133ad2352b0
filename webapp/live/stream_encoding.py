"""Compresses streams message by message. Each chunk is compressed once for all its subscribers.

A compressed chunk must not depend on earlier bytes. In gzip it is a sequence of deflate blocks that ends with a full
flush, which resets the window (RFC 1951, zlib's Z_FULL_FLUSH). In zstd it is a separate frame (RFC 8878, 3.1).
"""

from __future__ import annotations

import struct
import zlib
from typing import Protocol

from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

from signalbox.webapp.http.zstd_frames import zstd_frame
from signalbox.webapp.live.chunk import Chunk

LEVEL_GZIP = 5
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


class StreamEncoding(Protocol):
    """Encodes the bytes of one stream. `name` is the Content-Encoding, "" for none."""

    name: str

    def encode_chunk(self, chunk: Chunk) -> bytes:
        """Encode a chunk that other streams share."""

    def encode(self, data: bytes) -> bytes:
        """Encode bytes that are only for this stream."""

    def end(self) -> bytes:
        """Return the bytes that end the body."""


class Plain:
    """No compression."""

    name = ""

    def encode_chunk(self, chunk: Chunk) -> bytes:
        return chunk.body

    def encode(self, data: bytes) -> bytes:
        return data

    def end(self) -> bytes:
        return b""


class Gzip:
    """One gzip member per stream: a header, deflate blocks that streams share, and the checksum of this stream."""

    name = "gzip"

    def __init__(self) -> None:
        self._crc = 0
        self._size = 0
        self._begun = False

    def encode_chunk(self, chunk: Chunk) -> bytes:
        return self._put(chunk.body, chunk.encoded("gzip", deflated))

    def encode(self, data: bytes) -> bytes:
        return self._put(data, deflated(data))

    def end(self) -> bytes:
        return self._put(b"", b"\x03\x00") + struct.pack("<II", self._crc, self._size & 0xFFFFFFFF)

    def _put(self, plain: bytes, compressed: bytes) -> bytes:
        self._crc = zlib.crc32(plain, self._crc)
        self._size += len(plain)
        if self._begun:
            return compressed
        self._begun = True
        return _GZIP_HEADER + compressed


class Zstd:
    """One zstd frame for each message."""

    name = "zstd"

    def encode_chunk(self, chunk: Chunk) -> bytes:
        return chunk.encoded("zstd", zstd_frame)

    def encode(self, data: bytes) -> bytes:
        return zstd_frame(data) if data else b""

    def end(self) -> bytes:
        return b""


def deflated(data: bytes) -> bytes:
    """Return `data` as raw deflate blocks that do not depend on earlier ones and end at a byte boundary."""
    deflate = zlib.compressobj(LEVEL_GZIP, zlib.DEFLATED, -15)
    return deflate.compress(data) + deflate.flush(zlib.Z_FULL_FLUSH)


def choose(accept_encoding: str) -> StreamEncoding:
    """Return the encoding that a request's Accept-Encoding prefers; gzip if it accepts any.

    Clients must accept a zstd body of many frames (RFC 9659), but some do not: httpx 0.28 reads only the first frame.
    """
    offered = parse_accept_header(accept_encoding, Accept)
    if offered["zstd"] > offered["gzip"]:
        return Zstd()
    return Gzip() if offered["gzip"] > 0 else Plain()
