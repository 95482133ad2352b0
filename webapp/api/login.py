"""`/api/v1/login` and `/logout`: exchanges e-mail and password for a bearer token, which identifies a session."""

from __future__ import annotations

import msgspec
from quart import Blueprint, Response, request

from signalbox.store import Conflict
from signalbox.store.people import digest_of
from signalbox.webapp.auth import cookie
from signalbox.webapp.auth.access import needs, public
from signalbox.webapp.auth.guard import directory, principal, session_digest
from signalbox.webapp.auth.login import log_in, log_out
from signalbox.webapp.auth.secrets import SESSION_PREFIX
from signalbox.webapp.current import store
from signalbox.webapp.http.endpoint import endpoint
from signalbox.webapp.http.refusals import LoginsBusy, TooManyLogins, WrongCredentials

blueprint = Blueprint("api_login", __name__, url_prefix="/api/v1")

LOCAL_TOKEN = "local"
"""The token returned while the server has no accounts. Any token is accepted then; this one is not valid later."""


class LoginBody(msgspec.Struct, forbid_unknown_fields=True):
    """The e-mail and the password of an account."""

    email: str
    password: str


class LoginResponse(msgspec.Struct):
    """The token to send with further requests. `expires_at` and `email` are null while no log-in is needed."""

    token: str
    token_type: str = "bearer"
    expires_at: str | None = None
    email: str | None = None


@blueprint.post("/login")
@public
@endpoint("Get a token for e-mail and password.", raises=(WrongCredentials, TooManyLogins, LoginsBusy))
async def create(body: LoginBody) -> LoginResponse:
    if not directory().guarded:
        return LoginResponse(LOCAL_TOKEN)
    found = await log_in(body.email, body.password, request.remote_addr)
    if found is None:
        raise WrongCredentials
    account, secret, _ = found
    session = await store().people.session(digest_of(secret))
    expires_at = session.expires_at if session else None
    return LoginResponse(SESSION_PREFIX + secret, expires_at=expires_at, email=account.email)


@blueprint.post("/logout")
@needs("read")
@endpoint("End a log-in.", status=204, raises=(Conflict,))
async def destroy() -> Response:
    caller = await principal()
    if caller.token is not None:
        raise Conflict("this token does not come from a log-in; revoke it instead")
    if session := await session_digest():
        await log_out(session, caller.who, request.remote_addr)
    response = Response(status=204)
    cookie.delete_session(response, request)
    return response
