"""The page behind a one-time link, on which an invited person sets a password, or a known one sets a new one."""

from __future__ import annotations

from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Redirect

from signalbox.store import InvalidEvent
from signalbox.webapp.auth import cookie
from signalbox.webapp.auth.access import public
from signalbox.webapp.auth.password_links import link_of, use_link
from signalbox.webapp.current import fragments, settings
from signalbox.webapp.http.root_path import at_root
from signalbox.webapp.pages.responses import html, viewer_zone

blueprint = Blueprint("password_links", __name__)


@blueprint.get("/password/<secret>")
@public
async def show(secret: str) -> Response:
    return await _page(secret)


@blueprint.post("/password/<secret>")
@public
async def create(secret: str) -> Response | Redirect:
    form = await request.form
    password = form.get("password", "")
    if password != form.get("repeated", ""):
        return await _page(secret, 400, refused="No password was set: the two passwords differ.")
    try:
        session = await use_link(secret, password, request.remote_addr)
    except InvalidEvent as error:
        return await _page(secret, 400, refused=f"No password was set: {error}.")
    response = redirect(at_root("/tasks"), 303)
    cookie.set_session(response, request, session, settings().session_life)
    return response


async def _page(secret: str, status: int = 200, refused: str = "") -> Response:
    link, account = await link_of(secret)
    values = {"link": link, "account": account, "action": at_root(f"/password/{secret}"), "refused": refused}
    response = html(fragments().plain_page("login/password.html", {"zone": viewer_zone().name}, **values))
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response
