"""Reading audits: what people did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class AuditReading(Protocol):
    """The audits, also those of tasks that were deleted.

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
    ) -> list[dict[str, Any]]:
        """The newest `limit` audits below the audit id `before` (None: of all), the newest first.

        With `task_id` or `identity` only those of this task. The keys are `audit_id`, `at`, `actor`, `account_id`,
        `token_id`, `action`, `task_id`, `project_id`, `seq`, `source` and `detail` (an object).
        """

    async def audited_identity(self, task_id: str, projects: Sequence[str] | None = None) -> str | None:
        """The identity of the task with this id that was audited last, also if it was deleted; None if none was."""
