"""One page of the audit log: the actions of people as sentences, read in one consistent view of the store."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from signalbox.store import Conflict, Reading, StoreDamaged, UnknownTask
from signalbox.store.audit_query import AuditQuery
from signalbox.store.state import Task
from signalbox.webapp.auth.principal import ProjectIds
from signalbox.webapp.views.audit_sentences import Sentence, sentence_of

AUDITS_PAGE = 100


@dataclass(frozen=True, kw_only=True)
class AuditLogView:
    """One page of the audit log, of one task or of all, newest first. `before` is the cursor of the older ones."""

    task_id: str | None
    query: AuditQuery
    sentences: list[Sentence]
    before: int | None
    projects: dict[str, str] = field(default_factory=dict)

    @property
    def filtered(self) -> bool:
        """Whether a filter is set."""
        return self.query != AuditQuery()


async def audit_log_view(
    view: Reading,
    task_id: str | None,
    query: AuditQuery,
    *,
    before: int | None = None,
    projects: ProjectIds = None,
) -> AuditLogView:
    """Return the audits in `projects` that `query` matches, before the one with the id `before`.

    With a task id, these are the audits of the task that has it now or, if that was deleted, had it last. Raises
    UnknownTask if no task that the reader may see ever had it.
    """
    identity = None
    if task_id is not None:
        try:
            identity = (await view.head(task_id)).identity
        except UnknownTask:
            identity = await view.audited_identity(task_id, projects)
    found = await view.audits(task_id, AUDITS_PAGE + 1, before, projects, identity=identity, query=query)
    if task_id is not None and not found and query == AuditQuery():
        await view.task(task_id)
    shown = found[:AUDITS_PAGE]
    tasks = await _tasks(view, {audit["task_id"] for audit in shown if audit["task_id"]})
    return AuditLogView(
        task_id=task_id,
        query=query,
        sentences=[await _sentence(view, audit, tasks) for audit in shown],
        before=shown[-1]["audit_id"] if len(found) > len(shown) else None,
    )


async def _tasks(view: Reading, task_ids: set[str]) -> dict[str, Task]:
    """Return the tasks that have these ids now."""
    tasks = {}
    for task_id in task_ids:
        try:
            tasks[task_id] = await view.task(task_id)
        except (UnknownTask, Conflict, StoreDamaged):
            continue
    return tasks


async def _sentence(view: Reading, audit: dict[str, Any], tasks: dict[str, Task]) -> Sentence:
    task = tasks.get(audit["task_id"] or "")
    # A later task with the same id may belong to a project that the reader must not see.
    if task is None or task.identity != audit["identity"]:
        return sentence_of(audit, None, None)
    return sentence_of(audit, task.title or task.task_id, await _tool(view, audit))


async def _tool(view: Reading, audit: dict[str, Any]) -> str | None:
    """Return the tool of the permission request that an audit is about, if the request exists."""
    request_id = audit["detail"].get("request_id")
    if audit["action"] != "permission_response" or not isinstance(request_id, str) or not audit["task_id"]:
        return None
    try:
        permission = await view.permission(audit["task_id"], request_id)
    except (UnknownTask, Conflict, StoreDamaged):
        return None
    return permission.tool_name if permission else None
