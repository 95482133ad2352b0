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
    """One whole frame, which a reader can decode at once and without those before it."""
    return _compressor.compress(data, mode=zstd.ZstdCompressor.FLUSH_FRAME)
