"""The session cookie. Over TLS its name has the prefix that keeps other hosts and plain pages from setting it."""

from __future__ import annotations

from quart.wrappers.base import BaseRequestWebsocket
from werkzeug.sansio.response import Response

NAME = "signalbox_session"
SECURE_NAME = f"__Host-{NAME}"


def session_of(connection: BaseRequestWebsocket) -> str | None:
    """The secret of the session that a browser shows."""
    return connection.cookies.get(_name(connection)) or None


def keep(response: Response, connection: BaseRequestWebsocket, secret: str, life: float) -> None:
    """Give the browser a session for `life` seconds."""
    response.set_cookie(
        _name(connection),
        secret,
        max_age=int(life),
        path="/",
        secure=connection.is_secure,
        httponly=True,
        samesite="Lax",
    )


def forget(response: Response, connection: BaseRequestWebsocket) -> None:
    """Take the session away from the browser."""
    response.delete_cookie(_name(connection), path="/", secure=connection.is_secure, httponly=True, samesite="Lax")


def _name(connection: BaseRequestWebsocket) -> str:
    return SECURE_NAME if connection.is_secure else NAME
