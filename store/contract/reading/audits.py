"""Reads of audits, which record the actions of people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from signalbox.store.audit_query import AuditQuery


class AuditReading(Protocol):
    """Reads of the audits, including those of deleted tasks.

    `projects` restricts a method to audits of tasks in these projects; None means all projects.
    """

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
        """Return the newest `limit` audits below the audit id `before` (None: of all), the newest first.

        `task_id` and `identity` restrict the result to one task, and `query` to the audits that it matches. The keys
        are `audit_id`, `at`, `actor`, `account_id`, `token_id`, `action`, `task_id`, `project_id`, `identity`, `seq`,
        `source` and `detail` (an object). `project_id` and `identity` are those of the task at the time of the action.
        """

    async def audited_identity(self, task_id: str, projects: Sequence[str] | None = None) -> str | None:
        """Return the identity in the newest audit of this task id, or None. The task may have been deleted."""
