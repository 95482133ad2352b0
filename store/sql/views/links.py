"""Queries of the links and signed heads of a log."""

from __future__ import annotations

from signalbox.store.chain.heads import SignedHead
from signalbox.store.chain.verification import Claims
from signalbox.store.contract.reading.links import StoredLink
from signalbox.store.errors import UnknownTask
from signalbox.store.sql.log_links import CLAIMS, HEAD_COLUMNS, as_link, claims_in, head_of
from signalbox.store.sql.views.base import Rows

_LINKS = (
    "SELECT e.seq, e.link, d.seq FROM task_events e LEFT JOIN redacted_events d"
    " ON d.task_id = e.task_id AND d.seq = e.seq WHERE e.task_id = ? AND e.seq > ? AND e.seq <= ?"
)


class LinkViews(Rows):
    """Implements `LinkReading` of `store.contract`."""

    async def log_claims(self, task_id: str) -> Claims:
        for row in await self._rows(CLAIMS.format(link="t.link"), task_id):
            return claims_in(row)
        raise UnknownTask(task_id)

    async def links(self, task_id: str, since_seq: int, until_seq: int) -> dict[int, StoredLink]:
        rows = await self._rows(_LINKS, task_id, since_seq, until_seq)
        return {seq: StoredLink(as_link(link), redacted is not None) for seq, link, redacted in rows}

    async def signed_heads(self, task_id: str, since_seq: int = 0, limit: int = 1000) -> list[SignedHead]:
        sql = f"SELECT {HEAD_COLUMNS} FROM signed_heads WHERE task_id = ? AND seq > ? ORDER BY seq, signed_at LIMIT ?"
        return [head_of(row) for row in await self._rows(sql, task_id, since_seq, limit)]
