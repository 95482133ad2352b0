"""The interface of a place, and its URL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from signalbox.store.errors import InvalidEvent


class ReadablePlace(Protocol):
    """Has files that can be read by name. All methods block, and any thread may call them.

    They raise ColdPlaceUnavailable if the place cannot be used now, and ColdFileMissing if there is no such file.
    """

    @property
    def url(self) -> str:
        """The directory or the URL of the bucket. It has no password."""

    def size(self, name: str) -> int:
        """Return the size of a file in bytes."""

    def read(self, name: str, offset: int, length: int) -> bytes:
        """Return up to `length` bytes of a file from `offset`. They are fewer only at the end of the file."""


class ColdPlace(ReadablePlace, Protocol):
    """Keeps files by name."""

    check_interval: float
    """Seconds after which a reader checks again that a file was neither replaced nor deleted."""

    def version(self, name: str) -> str:
        """Return a text that changes when the file is replaced."""

    def store(self, name: str, file: Path) -> None:
        """Store the content of `file` durably under a new name: as a whole, or not at all."""

    def delete(self, name: str) -> None:
        """Delete a file. Does nothing if there is none."""

    def names(self) -> Iterator[str]:
        """Yield the names of all cold files."""


def open_place(url: str) -> ColdPlace:
    """Open a place: the path of a directory, which the first stored file creates, or `s3://BUCKET/PREFIX`.

    Raises InvalidEvent for another URL or if an extra is missing, and ColdPlaceUnavailable.
    """
    from signalbox.store.cold.places.directory import ColdDirectory

    if url.startswith("s3://"):
        # The library takes long to load, and most stores need none.
        from signalbox.store.cold.places.bucket import ColdBucket

        return ColdBucket(url)
    if "://" not in url:
        return ColdDirectory(Path(url))
    raise InvalidEvent(f"cold files go to a directory or to s3://BUCKET/PREFIX, not to {url!r}", "cold_storage")
