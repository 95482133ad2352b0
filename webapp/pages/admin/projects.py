"""The projects, and the members of a project with their roles."""

from __future__ import annotations

from typing import cast

from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Redirect

from signalbox.store import Conflict, InvalidEvent
from signalbox.store.errors import NotFound
from signalbox.store.people import DEFAULT_PROJECT, ROLES, Project, Role
from signalbox.store.redaction.rules import Redaction
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.actor import audit_arguments
from signalbox.webapp.auth.guard import directory, principal
from signalbox.webapp.current import settings, store
from signalbox.webapp.http.refusal_table import refusal_of
from signalbox.webapp.http.refusals import UnknownProject
from signalbox.webapp.http.root_path import at_root
from signalbox.webapp.pages.admin.page import admin_page, require_administration
from signalbox.webapp.views.agent_commands import commands_of

blueprint = Blueprint("admin_projects", __name__, url_prefix="/admin")


@blueprint.get("")
@needs("admin")
async def home() -> Redirect:
    await require_administration()
    return redirect(at_root("/admin/projects"))


@blueprint.get("/projects")
@needs("admin")
async def index() -> Response:
    await require_administration()
    return await _index()


@blueprint.post("/projects")
@needs("admin", everywhere=True)
async def create() -> Response | Redirect:
    form = await request.form
    project_id, name = form.get("project_id", "").strip(), form.get("name", "").strip()
    try:
        await store().people.aadd_project(project_id, name or project_id, **await audit_arguments())
    except (InvalidEvent, Conflict) as error:
        return await _index(
            refusal_of(error).status, refused=f"The project was not created: {error}.", typed=(project_id, name)
        )
    await directory().changed()
    return redirect(at_root(f"/admin/projects/{project_id}"), 303)


@blueprint.get("/projects/<project_id>")
@needs("admin")
async def show(project_id: str) -> Response:
    return await _show(project_id)


@blueprint.post("/projects/<project_id>/members")
@needs("admin")
async def set_member(project_id: str) -> Response | Redirect:
    form = await request.form
    email, role = form.get("email", "").strip(), form.get("role", "")
    people = store().people
    found = await people.account_by_email(email)
    try:
        if found is None:
            raise NotFound(f"no account has the address {email[:80]!r}; ask an administrator for an invitation")
        chosen = None if role == "none" else cast(Role, role)
        await people.aset_member(project_id, found[0].account_id, chosen, **await audit_arguments())
    except (InvalidEvent, NotFound) as error:
        return await _show(
            project_id, refusal_of(error).status, refused=f"The members were not changed: {error}.", email=email
        )
    await directory().changed()
    return redirect(at_root(f"/admin/projects/{project_id}"), 303)


@blueprint.post("/projects/<project_id>/remove")
@needs("admin", everywhere=True)
async def remove(project_id: str) -> Response | Redirect:
    try:
        await store().people.aremove_project(project_id, **await audit_arguments())
    except Conflict as error:
        return await _show(project_id, 409, refused=f"The project was not removed: {error}.")
    await directory().changed()
    return redirect(at_root("/admin/projects"), 303)


async def _index(status: int = 200, refused: str = "", typed: tuple[str, str] = ("", "")) -> Response:
    people, caller = store().people, await principal()
    projects = [one for one in await people.projects() if caller.may("admin", one.project_id)]
    found = [(one, await _count_tasks(one), len(await people.members(one.project_id))) for one in projects]
    return await admin_page("projects", "projects", status, projects=found, refused=refused, typed=typed)


async def _show(project_id: str, status: int = 200, **messages: str) -> Response:
    people, caller = store().people, await principal()
    project = await people.project(project_id)
    if project is None:
        raise UnknownProject(project_id)
    everywhere = caller.projects("admin") is None
    return await admin_page(
        "project",
        "projects",
        status,
        project=project,
        tasks=await _count_tasks(project),
        members=await people.members(project_id),
        roles=ROLES,
        commands=commands_of(project, Redaction(settings().redact)),
        accounts=[one.email for one in await people.accounts()] if everywhere else [],
        removable=everywhere and project_id != DEFAULT_PROJECT,
        **{"email": "", **messages},
    )


async def _count_tasks(project: Project) -> int:
    async with store().read() as view:
        return sum((await view.count_by_status([project.project_id])).values())
