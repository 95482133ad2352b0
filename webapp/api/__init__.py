"""The JSON API: the log for programs."""

from __future__ import annotations

from quart import Quart


def install(app: Quart) -> None:
    """Mount all routes of the API."""
    from signalbox.webapp.api import (
        artifacts,
        control,
        events,
        feed,
        hooks,
        kinds,
        mcp,
        messages,
        metrics,
        openapi,
        otlp,
        outcomes,
        parts,
        permissions,
        probes,
        proofs,
        search,
        sockets,
        space,
        streams,
        tasks,
        waiting,
    )
    from signalbox.webapp.api.agui import blueprint as agui
    from signalbox.webapp.api.login import blueprint as login
    from signalbox.webapp.api.projects import blueprint as projects
    from signalbox.webapp.api.runs import blueprint as runs
    from signalbox.webapp.api.sessions import blueprint as sessions

    for module in (
        tasks,
        artifacts,
        kinds,
        search,
        events,
        outcomes,
        parts,
        permissions,
        messages,
        control,
        streams,
        feed,
        hooks,
        waiting,
        sockets,
        openapi,
        otlp,
        metrics,
        space,
        probes,
        proofs,
        mcp,
    ):
        app.register_blueprint(module.blueprint)
    for dialect in (sessions, login, projects, runs, agui):
        app.register_blueprint(dialect)
