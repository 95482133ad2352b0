"""The request that uploads a file, in pieces and without a copy in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from signalbox.store.artifacts import pieces_of, type_of


class FilePieces:
    """A file as the body of a request, which can be sent again."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        return pieces_of(self._file)


def upload(content: BinaryIO, name: str, content_type: str | None, identity: str | None) -> dict[str, Any]:
    """Return the options of the request. Raises InvalidEvent for a bad type."""
    size = content.seek(0, 2)
    headers = {"Content-Type": type_of(name, content_type), "Content-Length": str(size)}
    params = {"name": name} | ({"identity": identity} if identity else {})
    return {"content": FilePieces(content), "headers": headers, "params": params}
