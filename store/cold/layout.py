"""The layout of a cold file: a header, the parts one after the other, the footer and a trailer that leads to it."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from signalbox.store.cold.errors import ColdFileTooNew, NotAColdFile
from signalbox.store.cold.facts import FORMAT, EventBlock, FileFooter, FilePart
from signalbox.store.cold.zstandard import ZstdError, compressed, decompressed
from signalbox.store.errors import ColdFileDamaged

HEADER = b"\x89SIGNALBOX-COLD\r\n\x1a\n"
"""The first bytes of each file. As in PNG, they change if a transfer changes line ends or drops the eighth bit."""

_END = b"COLD-END"
_TRAILER = struct.Struct("<QI32s8s")
"""The offset, the length and the SHA-256 of the compressed footer, and the last bytes of each file."""

TAIL = 64 * 1024
"""Bytes at the end of a file that are read first. The footer of most files is shorter."""


class FileWriter:
    """Writes the parts of a new file one after the other."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("xb")
        self._file.write(HEADER)

    def part(self, content: bytes) -> FilePart:
        """Write one part."""
        offset = self._file.tell()
        self._file.write(content)
        return FilePart(offset=offset, length=len(content), sha256=hashlib.sha256(content).digest())

    def finish(self, footer: FileFooter) -> str:
        """Write the footer and the trailer. Return the digest of the file."""
        part = self.part(compressed(msgspec.json.encode(footer)))
        self._file.write(_TRAILER.pack(part.offset, part.length, part.sha256, _END))
        self._file.close()
        return part.sha256.hex()

    def close(self) -> None:
        """Close the file, complete or not."""
        self._file.close()


def footer_place(name: str, tail: bytes) -> tuple[int, int, bytes]:
    """Return the offset, the length and the hash of the footer, from the last bytes of a file. Raises NotAColdFile."""
    if len(tail) < len(HEADER) + _TRAILER.size:
        raise NotAColdFile(name, f"has only {len(tail)} bytes: it is truncated, or another kind of file")
    offset, length, sha256, end = _TRAILER.unpack(tail[-_TRAILER.size :])
    if end != _END:
        raise NotAColdFile(name, "has no end: it is truncated, or another kind of file")
    return offset, length, sha256


def footer_of(name: str, content: bytes, sha256: bytes) -> FileFooter:
    """Decode the footer. Raises ColdFileDamaged, NotAColdFile and ColdFileTooNew."""
    check(name, "the footer", content, sha256)
    try:
        text = decompressed(content)
        version = msgspec.json.decode(text, type=_Version).format
        if version > FORMAT:
            raise ColdFileTooNew(name, f"has the format {version}; this version reads formats up to {FORMAT}")
        return msgspec.json.decode(text, type=FileFooter)
    except (ZstdError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ColdFileDamaged(name, "the footer", f"cannot be read: {error}") from error


class _Version(msgspec.Struct):
    format: int


def check(name: str, part: str, content: bytes, sha256: bytes, length: int | None = None) -> None:
    """Raise ColdFileDamaged unless `content` has this hash."""
    if length is not None and len(content) < length:
        raise ColdFileDamaged(name, part, f"has {len(content)} of {length} bytes: the file is truncated")
    if hashlib.sha256(content).digest() != sha256:
        raise ColdFileDamaged(name, part, "has another hash than the file says")


def parts_of(footer: FileFooter) -> Iterator[tuple[str, FilePart]]:
    """Yield all parts before the footer with their names, in the order of the file."""
    found: list[tuple[str, FilePart]] = [(block_name(block), block) for block in footer.blocks]
    found += [(f"piece {number} of the image", part) for number, part in enumerate(footer.image, 1)]
    found += [(f"the state at #{state.seq}", state) for state in footer.states]
    found += [
        (f"piece {number} of the artifact {content.sha256}", part)
        for content in footer.contents
        for number, part in enumerate(content.pieces, 1)
    ]
    yield from sorted(found, key=lambda one: one[1].offset)


def block_name(block: EventBlock) -> str:
    return f"the block of the events #{block.first_seq} to #{block.last_seq}"


def name_of(part: FilePart, footer: FileFooter) -> str:
    """Return the name of a part for messages."""
    return next((name for name, one in parts_of(footer) if one is part), "a part")
