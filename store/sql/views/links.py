"""Queries of the links and signed heads of a log."""

from __future__ import annotations

from signalbox.store.chain.heads import SignedHead
from signalbox.store.chain.verification import Claims
from signalbox.store.contract.reading.links import StoredLink, UnsignedLog
from signalbox.store.errors import UnknownTask
from signalbox.store.sql.dialect import one_of
from signalbox.store.sql.log_links import CLAIMS, HEAD_COLUMNS, as_link, claims_in, head_of
from signalbox.store.sql.searching.index import ERASURES
from signalbox.store.sql.views.base import Rows
from signalbox.store.state import ENDED_STATUSES

_LINKS = (
    "SELECT e.seq, e.link, d.seq FROM task_events e LEFT JOIN redacted_events d"
    " ON d.task_id = e.task_id AND d.seq = e.seq WHERE e.task_id = ? AND e.seq > ? AND e.seq <= ?"
)


_UNSIGNED = """
SELECT * FROM (
  SELECT c.task_id, c.identity, c.last_seq, e.link, t.status,
    coalesce((SELECT max(h.seq) FROM signed_heads h WHERE h.task_id = c.task_id), 0) AS signed_seq
  FROM (SELECT DISTINCT task_id FROM task_events WHERE event_id > ? AND event_id <= ?) AS touched
  JOIN task_event_seq_counters c ON c.task_id = touched.task_id
  JOIN tasks t ON t.task_id = c.task_id
  JOIN task_events e ON e.task_id = c.task_id AND e.seq = c.last_seq
  WHERE e.link IS NOT NULL
) AS found WHERE last_seq > signed_seq AND ({has_ended} OR last_seq >= signed_seq + ?)
"""


class LinkViews(Rows):
    """Implements `LinkReading` of `store.contract`."""

    async def log_claims(self, task_id: str) -> Claims:
        for row in await self._rows(CLAIMS.format(link="t.link"), task_id):
            return claims_in(row)
        raise UnknownTask(task_id)

    async def links(self, task_id: str, since_seq: int, until_seq: int) -> dict[int, StoredLink]:
        rows = await self._rows(_LINKS, task_id, since_seq, until_seq)
        return {seq: StoredLink(as_link(link), redacted is not None) for seq, link, redacted in rows}

    async def unsigned_logs(self, after_id: int, until_id: int, every: int) -> list[UnsignedLog]:
        has_ended, statuses = one_of("status", sorted(ENDED_STATUSES))
        rows = await self._rows(_UNSIGNED.format(has_ended=has_ended), after_id, until_id, *statuses, every)
        return [
            UnsignedLog(task_id, identity, seq, bytes(link), status in ENDED_STATUSES)
            for task_id, identity, seq, link, status, _ in rows
        ]

    async def erasures(self) -> int:
        rows = await self._rows("SELECT value FROM store_facts WHERE name = ?", ERASURES)
        return int(rows[0][0]) if rows else 0

    async def signed_heads(self, task_id: str, since_seq: int = 0, limit: int = 1000) -> list[SignedHead]:
        sql = f"SELECT {HEAD_COLUMNS} FROM signed_heads WHERE task_id = ? AND seq > ? ORDER BY seq, signed_at LIMIT ?"
        return [head_of(row) for row in await self._rows(sql, task_id, since_seq, limit)]
