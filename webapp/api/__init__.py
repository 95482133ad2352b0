"""The JSON API: the log for programs."""

from __future__ import annotations

from typing import cast

from quart import Quart, current_app

from store import Store


def store() -> Store:
    """The store that this app serves."""
    return cast(Store, current_app.extensions["store"])


def install(app: Quart) -> None:
    """Mount all routes of the API."""
    from webapp.api import control, events, feed, metrics, openapi, permissions, sockets, streams, tasks
    from webapp.api.login import blueprint as login
    from webapp.api.projects import blueprint as projects
    from webapp.api.runs import blueprint as runs
    from webapp.api.sessions import blueprint as sessions

    for module in (tasks, events, permissions, control, streams, feed, sockets, openapi, metrics):
        app.register_blueprint(module.blueprint)
    for dialect in (sessions, login, projects, runs):
        app.register_blueprint(dialect)
