"""What can only be read: the commands of agents, the effective settings, and the health of the server in words."""

from __future__ import annotations

from dataclasses import fields

from quart import Blueprint, Response, current_app

from signalbox.store.redaction.rules import Redaction
from signalbox.store.urls import without_password
from signalbox.webapp import __version__
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.quota_guard import quotas
from signalbox.webapp.current import hub, settings, store
from signalbox.webapp.http.health import health, store_problem
from signalbox.webapp.pages.admin.page import admin_page
from signalbox.webapp.settings import variable
from signalbox.webapp.views.agent_commands import commands_of
from signalbox.webapp.views.text import count, display_text, plural

blueprint = Blueprint("admin_server", __name__, url_prefix="/admin")

URLS = ("store", "bus")
"""The settings that may contain a password."""


@blueprint.get("/agents")
@needs("admin", everywhere=True)
async def agents() -> Response:
    redaction = Redaction(settings().redact)
    projects = await store().people.projects()
    commands = [one for project in projects for one in commands_of(project, redaction)]
    return await admin_page("agents", "agents", commands=commands)


@blueprint.get("/settings")
@needs("admin", everywhere=True)
async def effective_settings() -> Response:
    present = settings()
    rows = [
        {
            "name": spec.name,
            "value": _shown(spec.name, getattr(present, spec.name)),
            "changed": getattr(present, spec.name) != spec.default,
            "variable": variable(spec),
            "help": spec.metadata["help"],
        }
        for spec in fields(present)
    ]
    return await admin_page("settings", "settings", rows=rows)


@blueprint.get("/health")
@needs("admin", everywhere=True)
async def server_health() -> Response:
    found = health().problems()
    if (problem := await store_problem(store())) and problem.code not in {one.code for one in found}:
        found.append(problem)
    return await admin_page("health", "health", problems=found, warnings=health().warnings(), facts=_facts())


def _facts() -> list[tuple[str, str]]:
    streams, stats = hub(), store().stats()
    others = streams.other_processes.number
    behind = streams.lanes.lag_p99()
    tail = current_app.extensions["tail"]
    return [
        ("Version", f"Signalbox {__version__}"),
        ("Database", f"{without_password(settings().store)}, {'answers' if tail.healthy else 'does not answer'}"),
        ("Processes", f"this one and {count(others)} others on the database" if others else "only this one"),
        ("Open streams", f"{count(streams.streams_everywhere)}, {count(streams.open_streams)} of them in this process"),
        ("Watched tasks", plural(streams.watched_tasks, "task")),
        ("Delay of streams", f"99 of 100 streams are at most {plural(int(behind), 'event')} behind"),
        ("Waiting writes", plural(stats.waiting, "write")),
        ("Quotas", f"{plural(quotas().refused, 'request')} of tokens over their quota refused since the start"),
        ("Transactions", f"{count(stats.commits)} committed by this process since its start"),
    ]


def _shown(name: str, value: object) -> str:
    if name in URLS:
        return without_password(str(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return display_text(str(value), 300)
