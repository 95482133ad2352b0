"""Queries of the contents of artifacts."""

from __future__ import annotations

from signalbox.store.sql.views.base import Rows


class ContentViews(Rows):
    """Implements `ContentReading` of `store.contract`."""

    async def has_content(self, task_id: str, sha256: str) -> bool:
        return bool(await self._rows("SELECT 1 FROM artifact_contents WHERE sha256 = ? AND complete = 1", sha256))

    async def content_piece(self, task_id: str, sha256: str, number: int) -> bytes | None:
        sql = "SELECT content FROM artifact_pieces WHERE sha256 = ? AND number = ?"
        rows = await self._rows(sql, sha256, number)
        return bytes(rows[0][0]) if rows else None
