"""Reads of the contents of artifacts."""

from __future__ import annotations

from typing import Protocol


class ContentReading(Protocol):
    """Reads of the contents of artifacts. The caller checks that an artifact of the task refers to the content."""

    async def has_content(self, task_id: str, sha256: str) -> bool:
        """Return whether the whole content is stored. That of an artifact of an imported log may be missing."""

    async def content_piece(self, task_id: str, sha256: str, number: int) -> bytes | None:
        """Return a piece of a content, counted from 0. All pieces but the last have `artifacts.PIECE_BYTES` bytes."""
