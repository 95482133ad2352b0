"""The projects of a store, and their members."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from signalbox.store.contract import Who
from signalbox.store.errors import Conflict
from signalbox.store.events import check_text, encode_payload
from signalbox.store.people import (
    DEFAULT_PROJECT,
    MAX_NAME_CHARS,
    Member,
    Project,
    Role,
    TaskSummary,
    check_project_id,
    check_role,
)
from signalbox.store.sql.database import Database
from signalbox.store.sql.people.base import Audit, Tables, email_of, exists, need_project, write_member

_PROJECT = "project_id, name, created_at, agent"
_MEMBERS = (
    "SELECT project_id, account_id, email, role FROM project_members JOIN accounts USING (account_id)"
    " WHERE project_id = ? ORDER BY email"
)


class Projects(Tables):
    """Implements the projects and members of `People`."""

    async def aadd_project(
        self,
        project_id: str,
        name: str,
        *,
        agent: dict[str, Any] | None = None,
        actor: str | Who | None = None,
        source: str | None = None,
    ) -> Project:
        check_project_id(project_id)
        check_text(name, "name", limit=MAX_NAME_CHARS)
        encoded = _to_json(agent)

        def work(db: Database, audit: Audit) -> Project:
            if exists(db, "projects", "project_id", project_id):
                raise Conflict(f"there is a project {project_id} already")
            project = Project(project_id=project_id, name=name, created_at=db.now(), agent=agent)
            db.execute("INSERT INTO projects VALUES (?, ?, ?, ?)", (project_id, name, project.created_at, encoded))
            # The pages that list the projects are at an earlier position now.
            db.take_event_id()
            audit("project_add", project_id=project_id, name=name)
            return project

        return await self._write(work, actor, source)

    async def aset_agent(
        self,
        project_id: str,
        agent: dict[str, Any] | None,
        *,
        actor: str | Who | None = None,
        source: str | None = None,
    ) -> None:
        encoded = _to_json(agent)

        def work(db: Database, audit: Audit) -> None:
            need_project(db, project_id)
            db.execute("UPDATE projects SET agent = ? WHERE project_id = ?", (encoded, project_id))
            audit("project_agent", project_id=project_id, kind=agent.get("kind") if agent else "none")

        await self._write(work, actor, source)

    async def aremove_project(
        self, project_id: str, *, actor: str | Who | None = None, source: str | None = None
    ) -> None:
        def work(db: Database, audit: Audit) -> None:
            need_project(db, project_id)
            if project_id == DEFAULT_PROJECT:
                raise Conflict(
                    f"the project {project_id} cannot be removed: it is the default for tasks without a project"
                )
            (tasks,) = db.execute("SELECT count(*) FROM tasks WHERE project_id = ?", (project_id,)).fetchone()
            if tasks:
                raise Conflict(f"the project {project_id} has {tasks} task{'s' if tasks > 1 else ''}")
            db.execute("DELETE FROM projects WHERE project_id = ?", (project_id,))
            db.take_event_id()
            audit("project_remove", project_id=project_id)

        await self._write(work, actor, source)

    async def aset_member(
        self,
        project_id: str,
        account_id: str,
        role: Role | None,
        *,
        actor: str | Who | None = None,
        source: str | None = None,
    ) -> None:
        check_role(role)

        def work(db: Database, audit: Audit) -> None:
            need_project(db, project_id)
            email = email_of(db, account_id)
            write_member(db, project_id, account_id, role)
            audit("project_member", project_id=project_id, email=email, role=role or "none")

        await self._write(work, actor, source)

    async def projects(self) -> list[Project]:
        return [_project(row) for row in await self._rows(f"SELECT {_PROJECT} FROM projects ORDER BY project_id")]

    async def project(self, project_id: str) -> Project | None:
        rows = await self._rows(f"SELECT {_PROJECT} FROM projects WHERE project_id = ?", project_id)
        return _project(rows[0]) if rows else None

    async def members(self, project_id: str) -> list[Member]:
        rows = await self._rows(_MEMBERS, project_id)
        return [Member(project_id=row[0], account_id=row[1], email=row[2], role=row[3]) for row in rows]

    async def roles(self, account_id: str) -> dict[str, Role]:
        sql = "SELECT project_id, role FROM project_members WHERE account_id = ? ORDER BY project_id"
        return dict(await self._rows(sql, account_id))

    async def project_of(self, task_id: str) -> str | None:
        place = await self.task_summary(task_id)
        return place.project_id if place else None

    async def task_summary(self, task_id: str) -> TaskSummary | None:
        found = "SELECT project_id, c.identity, kind FROM tasks JOIN task_event_seq_counters c USING (task_id)"
        rows = await self._rows(f"{found} WHERE task_id = ?", task_id)
        return TaskSummary(*rows[0]) if rows else None


def _to_json(agent: dict[str, Any] | None) -> str | None:
    return None if agent is None else encode_payload(agent, "agent").decode()


def _project(row: Sequence[Any]) -> Project:
    agent = msgspec.json.decode(row[3]) if row[3] is not None else None
    return Project(project_id=row[0], name=row[1], created_at=row[2], agent=agent)
