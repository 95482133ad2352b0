"""The cookie with the choices of a viewer for reading logs."""

from __future__ import annotations

from collections.abc import Mapping

from quart.wrappers.base import BaseRequestWebsocket
from werkzeug.sansio.response import Response

from signalbox.webapp.http.bad_request import BadRequest

COOKIE = "signalbox_log"
SECONDS = 400 * 86400
"""Browsers keep no cookie longer than this: RFC 6265bis, section 5.5."""

CHOICES = {"wrap": "Wrap", "expand": "Expand all", "fold": "Fold groups"}
"""The choices, each with its label: long lines wrap, rows show their whole text, groups of lines are folded."""


def reading_of(connection: BaseRequestWebsocket) -> tuple[str, ...]:
    """Return the names of the choices that the viewer has made."""
    kept = connection.cookies.get(COOKIE, "").split("-")
    return tuple(name for name in CHOICES if name in kept)


def chosen(connection: BaseRequestWebsocket, changes: Mapping[str, str]) -> tuple[str, ...]:
    """Return the choices after these changes: 1 makes a choice, 0 takes it back. Raises BadRequest."""
    for name, value in changes.items():
        if name not in CHOICES:
            raise BadRequest(f"{name} is not one of {', '.join(CHOICES)}", name)
        if value not in ("0", "1"):
            raise BadRequest(f"{name} is 0 or 1, not {value[:20]}", name)
    before = reading_of(connection)
    return tuple(name for name in CHOICES if changes.get(name, str(int(name in before))) == "1")


def remember(response: Response, connection: BaseRequestWebsocket, names: tuple[str, ...]) -> None:
    """Set the cookie. Scripts do not read it."""
    response.set_cookie(
        COOKIE,
        "-".join(names),
        max_age=SECONDS,
        path=connection.root_path or "/",
        secure=connection.is_secure,
        httponly=True,
        samesite="Lax",
    )
