"""Compression into zstd frames (RFC 8878, section 3.1), with the standard library's interface (PEP 784)."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LEVEL = 3
# Making a compressor takes ten times as long as compressing a message, so one is kept.
_compressor = zstd.ZstdCompressor(level=LEVEL)


def zstd_frame(data: bytes) -> bytes:
    """Return `data` as one complete frame, which can be decoded without earlier frames."""
    return _compressor.compress(data, mode=zstd.ZstdCompressor.FLUSH_FRAME)


def zstd_frame_in_thread(data: bytes) -> bytes:
    """Return the same frame as `zstd_frame`. Any thread may call it, because it makes a compressor of its own."""
    return zstd.compress(data, LEVEL)
