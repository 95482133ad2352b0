"""Compression of streams, message by message: every chunk is compressed once, for all its subscribers.

A chunk must not depend on the bytes before it. In gzip it is a sequence of deflate blocks closed by a full flush, which
resets the window (RFC 1951, zlib's Z_FULL_FLUSH); in zstd it is a frame of its own (RFC 8878, 3.1).
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
    """How one stream writes its bytes. `name` is the Content-Encoding, "" for none."""

    name: str

    def chunk(self, chunk: Chunk) -> bytes:
        """Encode a chunk that other streams share."""

    def words(self, words: bytes) -> bytes:
        """Encode bytes of this stream alone."""

    def end(self) -> bytes:
        """Return the bytes that end the body."""


class Plain:
    """No compression."""

    name = ""

    def chunk(self, chunk: Chunk) -> bytes:
        return chunk.body

    def words(self, words: bytes) -> bytes:
        return words

    def end(self) -> bytes:
        return b""


class Gzip:
    """One gzip member for the whole stream: header, shared deflate blocks, and a checksum that is its own."""

    name = "gzip"

    def __init__(self) -> None:
        self._crc = 0
        self._size = 0
        self._begun = False

    def chunk(self, chunk: Chunk) -> bytes:
        return self._put(chunk.body, chunk.encoded("gzip", deflated))

    def words(self, words: bytes) -> bytes:
        return self._put(words, deflated(words))

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

    def chunk(self, chunk: Chunk) -> bytes:
        return chunk.encoded("zstd", zstd_frame)

    def words(self, words: bytes) -> bytes:
        return zstd_frame(words) if words else b""

    def end(self) -> bytes:
        return b""


def deflated(data: bytes) -> bytes:
    """Raw deflate blocks that do not depend on earlier ones and end at a byte boundary."""
    deflate = zlib.compressobj(LEVEL_GZIP, zlib.DEFLATED, -15)
    return deflate.compress(data) + deflate.flush(zlib.Z_FULL_FLUSH)


def choose(accept_encoding: str) -> StreamEncoding:
    """Return the encoding that a request's Accept-Encoding prefers; gzip if it accepts any.

    A reader must take a zstd body of many frames (RFC 9659), but not every one does: httpx 0.28 reads the first alone.
    """
    offered = parse_accept_header(accept_encoding, Accept)
    if offered["zstd"] > offered["gzip"]:
        return Zstd()
    return Gzip() if offered["gzip"] > 0 else Plain()
