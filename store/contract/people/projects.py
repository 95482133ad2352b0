"""Projects, their members, and the project of each task."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from signalbox.store.blocking import Blocking, blocking
from signalbox.store.contract.values import Who
from signalbox.store.people import Member, Project, Role, TaskSummary


class ProjectKeeping(Blocking):
    """The projects of a store: see `People`."""

    @abstractmethod
    async def aadd_project(
        self,
        project_id: str,
        name: str,
        *,
        agent: dict[str, Any] | None = None,
        actor: str | Who | None = None,
        source: str | None = None,
    ) -> Project:
        """Create a project. Raises Conflict if it exists. Audit: `project_add`."""

    add_project = blocking(aadd_project)

    @abstractmethod
    async def aset_agent(
        self,
        project_id: str,
        agent: dict[str, Any] | None,
        *,
        actor: str | Who | None = None,
        source: str | None = None,
    ) -> None:
        """Replace the agent of a project; None removes it. Audit: `project_agent`, with the agent's kind."""

    set_agent = blocking(aset_agent)

    @abstractmethod
    async def aremove_project(
        self, project_id: str, *, actor: str | Who | None = None, source: str | None = None
    ) -> None:
        """Remove a project with its memberships and tokens. Audit: `project_remove`.

        Raises Conflict if it has tasks, and for the default project.
        """

    remove_project = blocking(aremove_project)

    @abstractmethod
    async def aset_member(
        self,
        project_id: str,
        account_id: str,
        role: Role | None,
        *,
        actor: str | Who | None = None,
        source: str | None = None,
    ) -> None:
        """Give an account a role in a project; None ends its membership. Audit: `project_member`."""

    set_member = blocking(aset_member)

    @abstractmethod
    async def projects(self) -> list[Project]:
        """Return all projects, by id."""

    @abstractmethod
    async def project(self, project_id: str) -> Project | None:
        """Return a project, or None if there is no such project."""

    @abstractmethod
    async def members(self, project_id: str) -> list[Member]:
        """Return the members of a project, by e-mail address. The list is empty if there is no such project."""

    @abstractmethod
    async def roles(self, account_id: str) -> dict[str, Role]:
        """Return the role of an account by project id, for each project that it is a member of."""

    @abstractmethod
    async def project_of(self, task_id: str) -> str | None:
        """Return the project of a task, or None if there is no such task."""

    @abstractmethod
    async def task_summary(self, task_id: str) -> TaskSummary | None:
        """Return the project, identity and kind of a task, or None if there is no such task."""
