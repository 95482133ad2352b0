"""Artifacts: files that a run keeps in the store. The content is stored once, by its SHA-256, in pieces."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from mimetypes import MimeTypes
from typing import Any, BinaryIO

import msgspec

from signalbox.store.errors import InvalidEvent, TooLarge

ARTIFACT_STORED = "artifact_stored"
"""The event that the store appends when it has the whole content. From an emitter it is a claim without effect."""

MAX_ARTIFACT_BYTES = 10 * 1024 * 1024
"""Default maximum size of an artifact."""

PIECE_BYTES = 256 * 1024
"""Size of a piece. Each is written in a transaction of its own, so that other writers wait only a few milliseconds."""

MAX_TYPE_CHARS = 128
UNKNOWN_TYPE = "application/octet-stream"

_SHA256 = re.compile(r"[0-9a-f]{64}")
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")
# Without the system's files, so that a name has the same type on every machine.
_types = MimeTypes()
for _suffix, _type in {
    ".log": "text/plain",
    ".md": "text/markdown",
    ".yaml": "text/yaml",
    ".yml": "text/yaml",
    ".toml": "text/plain",
    ".ndjson": "application/x-ndjson",
    ".diff": "text/x-diff",
    ".patch": "text/x-diff",
    ".webp": "image/webp",
    ".avif": "image/avif",
}.items():
    _types.add_type(_type, _suffix)


class ArtifactContent(msgspec.Struct, frozen=True):
    """A content: its SHA-256 in hexadecimal digits, its size in bytes, and the number of its pieces."""

    sha256: str
    size: int

    @property
    def pieces(self) -> int:
        """The number of pieces."""
        return -(-self.size // PIECE_BYTES)


def content_of(file: BinaryIO, name: str, limit: int) -> ArtifactContent:
    """Read a file from its beginning and return its content. Raises TooLarge if it has more than `limit` bytes."""
    digest, size = hashlib.sha256(), 0
    for piece in pieces_of(file):
        size += len(piece)
        if size > limit:
            size = file.seek(0, 2)
            raise TooLarge(name, size, limit)
        digest.update(piece)
    return ArtifactContent(digest.hexdigest(), size)


def pieces_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield the pieces of a file from its beginning."""
    file.seek(0)
    while piece := file.read(PIECE_BYTES):
        yield piece


def type_of(name: str, content_type: str | None = None) -> str:
    """Return the content type in lower case without parameters; by default that of the name. Raises InvalidEvent."""
    if not content_type:
        guessed, encoding = _types.guess_type(name, strict=False)
        return UNKNOWN_TYPE if encoding or guessed is None else guessed
    found = content_type.partition(";")[0].strip().lower()
    if len(found) > MAX_TYPE_CHARS or not _TYPE.fullmatch(found):
        raise InvalidEvent(f"content_type must be a type such as text/plain, not {content_type[:80]!r}", "content_type")
    return found


def stored_content(payload: dict[str, Any]) -> ArtifactContent | None:
    """Return the content that the payload of an event names, or None if it names none."""
    sha256, size = payload.get("sha256"), payload.get("size")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256) or type(size) is not int or not 0 <= size < 2**53:
        return None
    return ArtifactContent(sha256, size)
