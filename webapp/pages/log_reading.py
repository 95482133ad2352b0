"""How a viewer reads logs: with wrapped lines, with every row open, with folded groups. It is kept in a cookie."""

from __future__ import annotations

from quart import Blueprint, redirect, request
from werkzeug.wrappers import Response as Redirect

from signalbox.webapp.auth.access import needs
from signalbox.webapp.http.log_reading import chosen, remember
from signalbox.webapp.http.return_path import referring_path
from signalbox.webapp.http.root_path import at_root

blueprint = Blueprint("log_reading", __name__)


@blueprint.post("/log-reading")
@needs("read")
async def choose() -> Redirect:
    """Change the choices that the form names, and return to its page."""
    response = redirect(referring_path(at_root("/tasks")), 303)
    remember(response, request, chosen(request, (await request.form).to_dict()))
    return response
