"""`/api/v1/projects`: the projects, and whether a run can be started in each."""

from __future__ import annotations

import asyncio
from typing import Literal

import msgspec
from quart import Blueprint

from signalbox.store.people import Project
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.guard import visible_projects
from signalbox.webapp.current import agents, store
from signalbox.webapp.http.endpoint import endpoint
from signalbox.webapp.http.refusals import UnknownProject

blueprint = Blueprint("api_projects", __name__, url_prefix="/api/v1/projects")


class ProjectView(msgspec.Struct):
    """A project in this dialect's form. `run_id` is the run that has not ended."""

    project_id: str
    name: str
    status: Literal["READY", "RUNNING", "UNAVAILABLE", "NO_AGENT"]
    run_id: str | None
    created_at: str


class ProjectListResponse(msgspec.Struct):
    """The projects that the caller may see."""

    projects: list[ProjectView]


@blueprint.get("")
@needs("read")
@endpoint("List the projects.")
async def index() -> ProjectListResponse:
    visible = visible_projects()
    projects = [one for one in await store().people.projects() if visible is None or one.project_id in visible]
    return ProjectListResponse(await asyncio.gather(*map(to_view, projects)))


@blueprint.get("/<project_id>")
@needs("read")
@endpoint("Read one project.")
async def show(project_id: str) -> ProjectView:
    return await to_view(await project_of(project_id))


async def project_of(project_id: str) -> Project:
    """Return the project with this id. Raises UnknownProject."""
    project = await store().people.project(project_id)
    if project is None:
        raise UnknownProject(project_id)
    return project


async def to_view(project: Project) -> ProjectView:
    """Return a project with its current status."""
    run = await agents().active_run(project)
    status: Literal["READY", "RUNNING", "UNAVAILABLE", "NO_AGENT"] = "RUNNING"
    if run is None and project.agent is None:
        status = "NO_AGENT"
    elif run is None:
        status = "READY" if await agents().available(project) else "UNAVAILABLE"
    return ProjectView(project.project_id, project.name, status, run.task_id if run else None, project.created_at)
