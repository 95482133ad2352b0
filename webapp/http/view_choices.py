"""The cookie with the views that a viewer prefers in the payload viewer.

A payload opens in the view in which it reads best. The cookie has another view for those that would open in it, such as
`markdown-text.json-raw`: whatever would open as Markdown opens as text, and so on.
"""

from __future__ import annotations

from collections.abc import Mapping

from quart.wrappers.base import BaseRequestWebsocket
from werkzeug.sansio.response import Response

from signalbox.webapp.http.log_reading import SECONDS

COOKIE = "signalbox_views"
VIEWS = {"text": "Text", "markdown": "Markdown", "json": "JSON", "raw": "Raw"}
"""The views, each with its label."""


def views_of(connection: BaseRequestWebsocket) -> dict[str, str]:
    """Return the preferred view for each view in which a payload reads best."""
    pairs = [pair.split("-") for pair in connection.cookies.get(COOKIE, "").split(".")]
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2 and set(pair) <= VIEWS.keys()}


def remember_view(response: Response, connection: BaseRequestWebsocket, best: str, view: str) -> None:
    """Set the cookie after the viewer chose a view for a payload that reads best in the view `best`."""
    views: Mapping[str, str] = {**views_of(connection), best: view}
    response.set_cookie(
        COOKIE,
        ".".join(f"{best}-{view}" for best, view in views.items() if best != view),
        max_age=SECONDS,
        path=connection.root_path or "/",
        secure=connection.is_secure,
        httponly=True,
        samesite="Lax",
    )
