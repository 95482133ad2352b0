"""The session cookie. Over TLS its name has a prefix that keeps other hosts and pages without TLS from setting it.

Below a path prefix the cookie's path is that prefix, so browsers do not send it to other programs on the same host.
`__Host-` allows no path but `/`, so the name then begins with `__Secure-` (RFC 6265bis, section 4.1.3).
"""

from __future__ import annotations

from quart.wrappers.base import BaseRequestWebsocket
from werkzeug.sansio.response import Response

SESSION_COOKIE = "signalbox_session"
BROWSER_COOKIE = "signalbox_browser"
BROWSER_COOKIE_SECONDS = 180 * 86400
"""Seconds for which a browser counts as known after a log-in; see `webapp.auth.login_attempts`."""


def session_of(connection: BaseRequestWebsocket) -> str | None:
    """Return the session secret in a browser's cookie."""
    return connection.cookies.get(_name(connection)) or None


def browser_of(connection: BaseRequestWebsocket) -> str | None:
    """Return the cookie of a known browser. It grants no rights."""
    return connection.cookies.get(_name(connection, BROWSER_COOKIE)) or None


def remember_browser(response: Response, connection: BaseRequestWebsocket, value: str) -> None:
    """Set the cookie of a known browser. It stays after a log-out."""
    _set(response, connection, BROWSER_COOKIE, value, BROWSER_COOKIE_SECONDS)


def set_session(response: Response, connection: BaseRequestWebsocket, secret: str, seconds: float) -> None:
    """Set the session cookie for `seconds` seconds."""
    _set(response, connection, SESSION_COOKIE, secret, int(seconds))


def delete_session(response: Response, connection: BaseRequestWebsocket) -> None:
    """Delete the session cookie."""
    response.delete_cookie(
        _name(connection),
        path=connection.root_path or "/",
        secure=connection.is_secure,
        httponly=True,
        samesite="Lax",
    )


def _set(response: Response, connection: BaseRequestWebsocket, name: str, value: str, seconds: int) -> None:
    response.set_cookie(
        _name(connection, name),
        value,
        max_age=seconds,
        path=connection.root_path or "/",
        secure=connection.is_secure,
        httponly=True,
        samesite="Lax",
    )


def _name(connection: BaseRequestWebsocket, name: str = SESSION_COOKIE) -> str:
    if not connection.is_secure:
        return name
    return f"__Secure-{name}" if connection.root_path else f"__Host-{name}"
