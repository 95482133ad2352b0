"""The log-in page, and logging out."""

from __future__ import annotations

from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Redirect

from signalbox.webapp.auth import cookie
from signalbox.webapp.auth.access import public
from signalbox.webapp.auth.guard import principal, session_digest
from signalbox.webapp.auth.login import log_in, log_out
from signalbox.webapp.current import fragments, settings
from signalbox.webapp.http.refusals import TooManyLogins
from signalbox.webapp.http.return_path import local_path
from signalbox.webapp.http.root_path import at_root
from signalbox.webapp.pages.responses import html

NOTES = {"out": "You are logged out.", "password": "Your password was changed. Log in with the new one."}
WRONG_CREDENTIALS = "Wrong e-mail or password."

blueprint = Blueprint("login", __name__)


@blueprint.get("/login")
@public
async def new() -> Response | Redirect:
    if (await principal()).known:
        return redirect(local_path(request.args.get("next")), 303)
    return _form(request.args.get("next"), note=NOTES.get(request.args.get("note", ""), ""))


@blueprint.post("/login")
@public
async def create() -> Response | Redirect:
    form = await request.form
    email, next_path = form.get("email", ""), form.get("next")
    try:
        found = await log_in(email, form.get("password", ""), request.remote_addr, cookie.browser_of(request))
    except TooManyLogins as error:
        page = _form(next_path, email=email, refused=f"Too many attempts. Try again in {wait(error.retry_after)}.")
        page.status_code = 429
        page.headers["Retry-After"] = str(round(error.retry_after))
        return page
    if found is None:
        page = _form(next_path, email=email, refused=WRONG_CREDENTIALS)
        page.status_code = 401
        return page
    response = redirect(local_path(next_path), 303)
    cookie.set_session(response, request, found.secret, settings().session_life)
    cookie.remember_browser(response, request, found.browser)
    return response


@blueprint.post("/logout")
@public
async def destroy() -> Redirect:
    if session := await session_digest():
        await log_out(session, (await principal()).who, request.remote_addr)
    response = redirect(at_root("/login?note=out"), 303)
    cookie.delete_session(response, request)
    return response


def wait(seconds: float) -> str:
    """Return a waiting time in words."""
    return "a minute" if seconds <= 60 else f"{seconds / 60:.0f} minutes"


def _form(next_path: str | None, *, email: str = "", refused: str = "", note: str = "") -> Response:
    values = {"next": local_path(next_path), "email": email, "refused": refused, "note": note}
    response = html(fragments().plain_page("login/new.html", {}, **values))
    response.headers["Cache-Control"] = "no-store"
    return response
