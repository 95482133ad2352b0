"""The page of the space that the store takes, with the state of retention."""

from __future__ import annotations

from quart import Blueprint, Response

from signalbox.webapp.auth.access import needs
from signalbox.webapp.current import retention_rules, settings, store
from signalbox.webapp.http.health import health
from signalbox.webapp.pages.admin.page import admin_page
from signalbox.webapp.retention.state import state_of
from signalbox.webapp.views.space import days_words, space_view

blueprint = Blueprint("admin_space", __name__, url_prefix="/admin")


@blueprint.get("/space")
@needs("admin", everywhere=True)
async def space() -> Response:
    async with store().read() as view:
        seen = await space_view(view, retention_rules(), settings().store)
        state = state_of(await view.retention_state())
    warnings = [one for one in health().warnings() if one.code.startswith(("retention", "cold"))]
    return await admin_page("space", "space", seen=seen, state=state, warnings=warnings, days_words=days_words)
