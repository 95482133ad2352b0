"""Compression into zstd frames (RFC 8878), with the standard library's interface (PEP 784)."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LEVEL = 12
"""Higher levels take several times as long for files that are a few percent smaller."""

MAX_BYTES = 2**32
"""A part is never larger than this. It limits the memory that a forged file can take."""

ZstdError = zstd.ZstdError


def compressed(data: bytes, level: int = LEVEL) -> bytes:
    """Return `data` as one frame."""
    return zstd.compress(data, level)


def decompressed(frame: bytes) -> bytes:
    """Return the content of one frame. Raises ZstdError."""
    size = zstd.get_frame_info(frame).decompressed_size
    if size is None or size > MAX_BYTES:
        raise ZstdError("the frame does not say how large its content is, or it is too large")
    return zstd.decompress(frame)
