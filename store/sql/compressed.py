"""Compressed payloads: long payloads of events as zstd frames (RFC 8878), which the store of a SQLite file keeps.

A frame has a checksum, so a damaged one is recognised. docs/operations.md has the figures behind the limits.
"""

from __future__ import annotations

import sys
from functools import cache
from types import ModuleType
from typing import Any

from signalbox.store.events import MAX_PAYLOAD_BYTES

MIN_CHARS = 1024
"""A payload with fewer characters is never compressed: it saves too little of a row."""

MAX_SHARE = 0.8
"""A payload is stored as it is if its frame is larger than this share of it, as for most base64."""

LEVEL = 1
"""Level 3 saves two per cent more, and takes up to twice as long."""

MAX_BYTES = 16 * MAX_PAYLOAD_BYTES
"""A frame that claims to contain more is damaged."""

_MAGIC = b"\x28\xb5\x2f\xfd"


class Compressor:
    """Compresses payloads in one thread at a time."""

    def __init__(self) -> None:
        zstd = _zstd()
        parameter = zstd.CompressionParameter
        options = {parameter.compression_level: LEVEL, parameter.checksum_flag: 1}
        # Making a compressor takes longer than compressing a payload, so one is kept.
        self._compressor = zstd.ZstdCompressor(options=options)
        self._mode = zstd.ZstdCompressor.FLUSH_FRAME

    def stored(self, text: str) -> str | bytes:
        """Return the frame of a text of `MIN_CHARS` or more, or the text itself if the frame saves too little."""
        content = text.encode()
        frame: bytes = self._compressor.compress(content, self._mode)
        return frame if len(frame) <= MAX_SHARE * len(content) else text


def is_compressed(stored: object) -> bool:
    """Return whether a stored payload is a frame."""
    return isinstance(stored, bytes) and stored.startswith(_MAGIC)


def text_of(frame: bytes) -> str | None:
    """Return the text of a frame, or None if the frame is damaged."""
    zstd = _zstd()
    decompressor = zstd.ZstdDecompressor()
    try:
        content: bytes = decompressor.decompress(frame, MAX_BYTES)
        return content.decode() if decompressor.eof and not decompressor.unused_data else None
    except (zstd.ZstdError, EOFError, UnicodeDecodeError):
        return None


def as_given(stored: Any) -> Any:
    """Return the text of a frame, and any other stored value or a damaged frame unchanged."""
    if not is_compressed(stored):
        return stored
    text = text_of(stored)
    return stored if text is None else text


@cache
def _zstd() -> ModuleType:
    # Imported with the first long payload, because the import takes as long as hundreds of appends.
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    module: ModuleType = zstd
    return module
