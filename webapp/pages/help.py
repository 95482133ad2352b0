"""The help page: keys, the command palette, the words of the pages, the docs, and the version."""

from __future__ import annotations

from urllib.parse import unquote

from quart import Blueprint, Response, request

from signalbox.store import NotFound
from signalbox.webapp import __version__
from signalbox.webapp.auth.access import needs
from signalbox.webapp.current import fragments
from signalbox.webapp.drawing import manual
from signalbox.webapp.http.root_path import at_root
from signalbox.webapp.pages.responses import html, layout
from signalbox.webapp.views.time_zones import COOKIE, zone_names

blueprint = Blueprint("help", __name__)

KEYS = {
    "Everywhere": {
        "Ctrl+K": "Command palette; ⌘K on a Mac",
        "?": "Keys of the page",
        "/": "Find tasks; on a task's pages, search its log",
        "j": "Next row",
        "k": "Previous row",
        "d": "Switch between the light, the dark and the system's theme",
        "g t": "Tasks",
        "g p": "Permissions",
        "g k": "Kinds",
        "g s": "Search over all runs",
        "g a": "Audit log",
        "g h": "Help",
        "g m": "Administration, for those who may",
    },
    "On a task": {
        "f": "Follow the log",
        "e": "Next failure",
        "E": "Previous failure",
        "a": "Reason field of the first open permission request; Tab leads to Approve and Deny",
        "w": "Waterfall",
        "s": "Timeline",
        "c": "Conversation",
        "t": "Time travel",
    },
    "In time travel": {"[": "One event back", "]": "One event forward", "l": "Back to live"},
    "In the waterfall and the flame view": {"o": "Slowest spans", "i": "Fold or unfold idle gaps", "0": "Whole run"},
    "On a page of several": {"n": "Next page, or newer events", "p": "Older events"},
}
"""The keys of all pages. A test compares them with the templates."""


@blueprint.get("/help")
@needs("read")
async def show() -> Response:
    selected = unquote(request.cookies.get(COOKIE, ""))
    values = {"place": "help", "groups": KEYS, "version": __version__, "zones": sorted(zone_names())}
    values |= {"chapters": manual.titles(), "current": ""}
    return html(fragments().plain_page("help/show.html", await layout(), **values, selected_zone=selected))


@blueprint.get("/help/docs/<name:name>")
@needs("read")
async def docs(name: str) -> Response:
    """Answer with a chapter of the docs of this version."""
    chapter = manual.chapter(name, at_root("/help/docs/"))
    if chapter is None:
        raise NotFound(f"the docs have no chapter {name!r}; there are {', '.join(manual.titles())}")
    values = {"place": "help", "chapter": chapter, "chapters": manual.titles(), "current": name}
    return html(fragments().plain_page("help/chapter.html", await layout(), **values))
