"""The accounts: inviting a person, resetting a password, disabling, enabling and removing an account."""

from __future__ import annotations

from typing import cast

from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Redirect

from signalbox.store import Conflict, InvalidEvent
from signalbox.store.errors import NotFound
from signalbox.store.people import ROLES, Account, Role
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.actor import audit_arguments
from signalbox.webapp.auth.guard import directory, principal
from signalbox.webapp.auth.password_links import NewLink, invite, new_link
from signalbox.webapp.current import store
from signalbox.webapp.http.refusal_table import refusal_of
from signalbox.webapp.http.root_path import at_root
from signalbox.webapp.pages.admin.page import admin_page

blueprint = Blueprint("admin_accounts", __name__, url_prefix="/admin/accounts")


@blueprint.get("")
@needs("admin", everywhere=True)
async def index() -> Response:
    return await _page()


@blueprint.post("")
@needs("admin", everywhere=True)
async def create() -> Response | Redirect:
    form = await request.form
    first = not directory().guarded
    admin = first or form.get("admin") == "1"
    project_id = None if admin else form.get("project_id") or None
    role = cast(Role, form.get("role") or "viewer") if project_id else None
    try:
        link = await invite(form.get("email", ""), admin=admin, project_id=project_id, role=role)
    except (InvalidEvent, Conflict, NotFound) as error:
        return await _page(
            refusal_of(error).status, refused=f"Nobody was invited: {error}.", email=form.get("email", "")
        )
    if first:
        # From now on a log-in is needed, which only this link makes possible.
        return redirect(at_root(f"/password/{link.secret}"), 303)
    return await _page(201, link)


@blueprint.post("/<account_id>/<any(link, disable, enable, remove):change>")
@needs("admin", everywhere=True)
async def apply(account_id: str, change: str) -> Response | Redirect:
    people, account = store().people, await _account(account_id)
    if change == "link":
        return await _page(201, await new_link(account))
    mine = (await principal()).account
    if change != "enable" and mine is not None and mine.account_id == account_id:
        raise Conflict(f"you cannot {change} your own account")
    if change == "remove":
        await people.aremove_account(account_id, **await audit_arguments())
    else:
        await people.aset_disabled(account_id, change == "disable", **await audit_arguments())
    await directory().changed()
    return redirect(at_root("/admin/accounts"), 303)


async def _account(account_id: str) -> Account:
    found = await store().people.account(account_id)
    if found is None:
        raise NotFound("there is no such account")
    return found


async def _page(status: int = 200, link: NewLink | None = None, **messages: str) -> Response:
    people, caller = store().people, await principal()
    accounts = await people.accounts()
    return await admin_page(
        "accounts",
        "accounts",
        status,
        accounts=[(one, await people.roles(one.account_id)) for one in accounts],
        links={one.account_id: one for one in await people.login_links()},
        projects=await people.projects(),
        roles=ROLES,
        mine=caller.account.account_id if caller.account else None,
        link=link,
        **{"email": "", **messages},
    )
