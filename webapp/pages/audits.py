"""The audit log: actions of people as sentences, newest first, with filters by person, action, project and time."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlencode

from quart import Blueprint, Response

from signalbox.store import UnknownTask
from signalbox.store.audit_query import AuditQuery
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.guard import principal, require, visible_projects
from signalbox.webapp.current import fragments, store
from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.params import MAX_SEQ, int_parameter, parameter, time_parameter
from signalbox.webapp.pages.responses import html, layout
from signalbox.webapp.pages.viewer_zone import day_of_viewer
from signalbox.webapp.views.audit_log import audit_log_view
from signalbox.webapp.views.audit_sentences import SENTENCES, label_of

MAX_FILTER_CHARS = 512

blueprint = Blueprint("audits", __name__)


@blueprint.get("/audits", defaults={"task_id": None})
@blueprint.get("/tasks/<task_id>/audits")
@needs("read", task="")
async def index(task_id: str | None) -> Response:
    if task_id is not None:
        # The audits of a deleted task stay, visible to members of its project.
        with suppress(UnknownTask):
            await require("read", task_id)
    before, query = int_parameter("before", 0, 1, MAX_SEQ) or None, _query()
    caller = await principal()
    async with store().read() as view:
        seen = await audit_log_view(view, task_id, query, before=before, projects=visible_projects())
    people = store().people
    values = {
        "view": seen,
        "filters": _address(query),
        "actions": sorted(((action, label_of(action)) for action in SENTENCES), key=lambda one: one[1]),
        "projects": [one for one in await people.projects() if caller.may("read", one.project_id)],
        "persons": [one.email for one in await people.accounts()] if caller.projects("admin") is None else [],
        "since_day": parameter("since") or "",
        "until_day": parameter("until") or "",
    }
    return html(fragments().plain_page("audits/index.html", await layout(), place="audits", **values))


def _query() -> AuditQuery:
    return AuditQuery(
        actor=_text("person"),
        action=_text("action"),
        project_id=_text("project"),
        since=day_of_viewer("since", time_parameter("since")),
        until=day_of_viewer("until", time_parameter("until")),
    )


def _text(name: str) -> str:
    text = (parameter(name) or "").strip()
    if len(text) > MAX_FILTER_CHARS:
        raise BadRequest(f"{name} must have at most {MAX_FILTER_CHARS} characters, not {len(text)}", name)
    return text


def _address(query: AuditQuery) -> str:
    """Return the filters as parameters, for the link to older audits. Days and their zone stay as they were typed."""
    since, until = parameter("since"), parameter("until")
    fields = {
        "person": query.actor,
        "action": query.action,
        "project": query.project_id,
        "since": since,
        "until": until,
        "zone": parameter("zone") if since or until else None,
    }
    return urlencode({name: value for name, value in fields.items() if value})
