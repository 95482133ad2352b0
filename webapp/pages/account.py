"""The page of a person's own account: password, rights, tokens. Tokens cannot use it, so a token creates no tokens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import cast

from quart import Blueprint, Response, redirect, request
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as Redirect

from signalbox.store import InvalidEvent
from signalbox.store.people import SCOPES, Account, checked_scopes, digest_of
from signalbox.store.times import now
from signalbox.webapp.auth import cookie
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.actor import audit_arguments
from signalbox.webapp.auth.guard import directory, principal
from signalbox.webapp.auth.login import change_password
from signalbox.webapp.auth.secrets import new_token
from signalbox.webapp.current import fragments, store
from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.refusals import Forbidden, TooManyLogins
from signalbox.webapp.http.root_path import at_root
from signalbox.webapp.pages.responses import html, layout

TOKEN_LIFETIMES = {"7": "in 7 days", "30": "in 30 days", "90": "in 90 days", "365": "in a year", "": "never"}
"""The lifetimes of a new token, in days, with their labels. "" is no expiry."""

blueprint = Blueprint("account", __name__, url_prefix="/account")


@blueprint.get("")
@needs("read")
async def show() -> Response:
    return await _page(await account())


@blueprint.post("/password")
@needs("read")
async def password() -> Response | Redirect:
    mine, form = await account(), await request.form
    try:
        changed = await change_password(mine, form.get("old", ""), form.get("new", ""), request.remote_addr)
    except InvalidEvent as error:
        return await _page(mine, 400, refused=f"The password was not changed: {error}.")
    except TooManyLogins as error:
        return await _page(mine, 429, refused=f"{error}.".capitalize())
    if not changed:
        return await _page(mine, 400, refused="The password was not changed: the current password is wrong.")
    response = redirect(at_root("/login?note=password"), 303)
    cookie.delete_session(response, request)
    return response


@blueprint.post("/tokens")
@needs("read")
async def create_token() -> Response:
    mine, form = await account(), await request.form
    days, project_id = form.get("days", ""), form.get("project_id") or None
    if days not in TOKEN_LIFETIMES:
        raise BadRequest(
            f"days must be one of {', '.join(filter(None, TOKEN_LIFETIMES))} or empty, not {days[:40]!r}", "days"
        )
    if project_id and not (await principal()).may("read", project_id):
        raise Forbidden(mine.email, "read", project_id)
    expires_at = None
    if days:
        expires_at = (datetime.now(UTC) + timedelta(days=int(days))).isoformat(timespec="microseconds")[:-6] + "Z"
    secret = new_token()
    made = await store().people.aadd_token(
        form.get("name", "").strip(),
        digest_of(secret),
        scopes=checked_scopes(form.getlist("scope")),
        account_id=mine.account_id,
        project_id=project_id,
        expires_at=expires_at,
        **await audit_arguments(),
    )
    return await _page(mine, 201, secret=secret, secret_name=made.name)


@blueprint.post("/tokens/<token_id>/revoke")
@needs("read")
async def revoke_token(token_id: str) -> Redirect:
    mine, people = await account(), store().people
    if all(token.token_id != token_id for token in await people.tokens(mine.account_id)):
        raise NotFound
    await people.arevoke_token(token_id, **await audit_arguments())
    await directory().changed()
    return redirect(at_root("/account"), 303)


async def account() -> Account:
    """Return the account of the caller. Raises NotFound if the server has no accounts, and Forbidden for a token."""
    who = await principal()
    if not directory().guarded:
        raise NotFound
    if not who.is_person:
        raise Forbidden(who.name, "admin", None)
    return cast(Account, who.account)


async def _page(mine: Account, status: int = 200, **messages: str) -> Response:
    people, who = store().people, await principal()
    values = {
        "account": mine,
        "roles": await people.roles(mine.account_id),
        "projects": [one.project_id for one in await people.projects() if who.may("read", one.project_id)],
        "tokens": sorted(await people.tokens(mine.account_id), key=lambda token: token.created_at, reverse=True),
        "scopes": SCOPES,
        "lives": TOKEN_LIFETIMES,
        "now": now(),
        **dict.fromkeys(("refused", "secret", "secret_name"), ""),
        **messages,
    }
    response = html(fragments().plain_page("accounts/show.html", await layout(), **values))
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response
