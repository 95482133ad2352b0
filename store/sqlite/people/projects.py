"""Projects and their members in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from signalbox.store.errors import Conflict, InvalidEvent
from signalbox.store.events import check_text, encode_payload, now
from signalbox.store.people import DEFAULT_PROJECT, LONGEST_NAME, ROLES, Member, Place, Project, Role, check_project_id
from signalbox.store.sqlite.people.base import Tables, need, there

_PROJECT = "project_id, name, created_at, agent"
_MEMBERS = (
    "SELECT project_id, account_id, email, role FROM project_members JOIN accounts USING (account_id)"
    " WHERE project_id = ? ORDER BY email"
)


class Projects(Tables):
    """The projects and members of `store.people.People`."""

    def add_project(self, project_id: str, name: str, *, agent: dict[str, Any] | None = None) -> Project:
        project = Project(project_id=check_project_id(project_id), name=name, created_at=now(), agent=agent)
        check_text(name, "name", limit=LONGEST_NAME)
        kept = _wire(agent)

        def work(db: sqlite3.Connection) -> Project:
            if there(db, "projects", "project_id", project_id):
                raise Conflict(f"there is a project {project_id} already")
            db.execute("INSERT INTO projects VALUES (?, ?, ?, ?)", (project_id, name, project.created_at, kept))
            return project

        return self._write(work)

    def set_agent(self, project_id: str, agent: dict[str, Any] | None) -> None:
        kept = _wire(agent)

        def work(db: sqlite3.Connection) -> None:
            need(db, "project", project_id)
            db.execute("UPDATE projects SET agent = ? WHERE project_id = ?", (kept, project_id))

        self._write(work)

    def remove_project(self, project_id: str) -> None:
        def work(db: sqlite3.Connection) -> None:
            need(db, "project", project_id)
            if project_id == DEFAULT_PROJECT:
                raise Conflict(f"the project {project_id} is that of all tasks made without one, and stays")
            (tasks,) = db.execute("SELECT count(*) FROM tasks WHERE project_id = ?", (project_id,)).fetchone()
            if tasks:
                raise Conflict(f"the project {project_id} has {tasks} task{'s' if tasks > 1 else ''}")
            db.execute("DELETE FROM projects WHERE project_id = ?", (project_id,))

        self._write(work)

    async def projects(self) -> list[Project]:
        return [_project(row) for row in await self._rows(f"SELECT {_PROJECT} FROM projects ORDER BY project_id")]

    async def project(self, project_id: str) -> Project | None:
        rows = await self._rows(f"SELECT {_PROJECT} FROM projects WHERE project_id = ?", project_id)
        return _project(rows[0]) if rows else None

    def set_member(self, project_id: str, account_id: str, role: Role | None) -> None:
        if role is not None and role not in ROLES:
            raise InvalidEvent(f"role must be one of {', '.join(ROLES)}, not {role!r}", "role")

        def work(db: sqlite3.Connection) -> None:
            need(db, "project", project_id)
            need(db, "account", account_id)
            member = (project_id, account_id)
            if role is None:
                db.execute("DELETE FROM project_members WHERE project_id = ? AND account_id = ?", member)
            else:
                db.execute("INSERT OR REPLACE INTO project_members VALUES (?, ?, ?)", (*member, role))

        self._write(work)

    async def members(self, project_id: str) -> list[Member]:
        rows = await self._rows(_MEMBERS, project_id)
        return [Member(project_id=row[0], account_id=row[1], email=row[2], role=row[3]) for row in rows]

    async def roles(self, account_id: str) -> dict[str, Role]:
        sql = "SELECT project_id, role FROM project_members WHERE account_id = ? ORDER BY project_id"
        return dict(await self._rows(sql, account_id))

    async def project_of(self, task_id: str) -> str | None:
        place = await self.place_of(task_id)
        return place.project_id if place else None

    async def place_of(self, task_id: str) -> Place | None:
        found = "SELECT project_id, identity, kind FROM tasks JOIN task_event_seq_counters USING (task_id)"
        rows = await self._rows(f"{found} WHERE task_id = ?", task_id)
        return Place(*rows[0]) if rows else None


def _wire(agent: dict[str, Any] | None) -> str | None:
    return None if agent is None else encode_payload(agent, "agent").decode()


def _project(row: Sequence[Any]) -> Project:
    agent = msgspec.json.decode(row[3]) if row[3] is not None else None
    return Project(project_id=row[0], name=row[1], created_at=row[2], agent=agent)
