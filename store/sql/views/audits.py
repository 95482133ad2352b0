"""Queries of audits, which record the actions of people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from signalbox.store.audit_query import AuditQuery
from signalbox.store.sql import task_list
from signalbox.store.sql.damaged import detail_of
from signalbox.store.sql.views.base import Rows

LOOKED_AT = 1000
"""Audits since a time in which the one with the least id is sought."""


class AuditViews(Rows):
    """Implements `AuditReading` of `store.contract`."""

    async def audits(
        self,
        task_id: str | None = None,
        limit: int = 200,
        before: int | None = None,
        projects: Sequence[str] | None = None,
        *,
        identity: str | None = None,
        query: AuditQuery | None = None,
    ) -> list[dict[str, Any]]:
        names = (
            *("audit_id", "at", "actor", "account_id", "token_id", "action"),
            *("task_id", "project_id", "identity", "seq", "source", "detail"),
        )
        asked = query or AuditQuery()
        where = {
            "task_id = ?": task_id,
            "identity = ?": identity,
            "audit_id < ?": before,
            "actor = ?": asked.actor or None,
            "action = ?": asked.action or None,
            "project_id = ?": asked.project_id or None,
            "at >= ?": asked.since,
            "at < ?": asked.until,
            "audit_id >= ?": await self._first_since(asked.since),
        }
        wanted = {condition: value for condition, value in where.items() if value is not None}
        within, values = task_list.in_projects(projects)
        rows = await self._rows(
            f"SELECT {', '.join(names)} FROM task_audits WHERE {' AND '.join([*wanted, within])}"
            " ORDER BY audit_id DESC LIMIT ?",
            *wanted.values(),
            *values,
            limit,
        )
        return [dict(zip(names, (*row[:-2], self._source(row[-2]), detail_of(row[-1])), strict=True)) for row in rows]

    async def _first_since(self, since: str | None) -> int | None:
        """Return the id of the first audit since a time, so that earlier ones are not read; None without a time.

        If there is none, return an id that no audit has.
        """
        if since is None:
            return None
        # Not only the first one by its time: after a clock was set back, earlier audits have later times.
        sql = (
            "SELECT min(audit_id) FROM"
            f" (SELECT audit_id FROM task_audits WHERE at >= ? ORDER BY at, audit_id LIMIT {LOOKED_AT}) AS first"
        )
        ((found,),) = await self._rows(sql, since)
        return 2**63 - 1 if found is None else int(found)

    def _source(self, stored: str | None) -> str | None:
        return None if stored is None else self.dialect.restored(stored)

    async def audited_identity(self, task_id: str, projects: Sequence[str] | None = None) -> str | None:
        within, values = task_list.in_projects(projects)
        sql = f"SELECT identity FROM task_audits WHERE task_id = ? AND {within} ORDER BY audit_id DESC LIMIT 1"
        rows = await self._rows(sql, task_id, *values)
        return rows[0][0] if rows else None
