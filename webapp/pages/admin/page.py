"""Responses of the administration pages."""

from __future__ import annotations

from typing import Any, NamedTuple

from quart import Response

from signalbox.webapp.auth.guard import directory, principal
from signalbox.webapp.current import fragments
from signalbox.webapp.http.refusals import Forbidden
from signalbox.webapp.pages.responses import html, layout


class AdminTab(NamedTuple):
    """A page of the administration. `for_owners`: owners of a project may see it too."""

    name: str
    label: str
    for_owners: bool = False


TABS = (
    AdminTab("projects", "Projects", for_owners=True),
    AdminTab("accounts", "Accounts"),
    AdminTab("tokens", "Tokens"),
    AdminTab("agents", "Agents"),
    AdminTab("space", "Space"),
    AdminTab("settings", "Settings"),
    AdminTab("health", "Health"),
)


async def require_administration() -> None:
    """Raise Forbidden unless the caller may manage at least one project."""
    caller = await principal()
    if caller.projects("admin") == ():
        raise Forbidden(caller.name, "admin", None)


async def admin_page(template: str, tab: str, status: int = 200, **values: Any) -> Response:
    """Return a page of the administration with its tabs, of which `tab` is open. It is never cached."""
    caller = await principal()
    everywhere = caller.projects("admin") is None
    tabs = [one for one in TABS if everywhere or one.for_owners]
    shared = {"place": "admin", "tabs": tabs, "tab": tab, "administrator": everywhere, "guarded": directory().guarded}
    text = fragments().plain_page(f"admin/{template}.html", await layout(), **{"refused": "", **shared, **values})
    response = html(text)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response
