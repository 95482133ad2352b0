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
    from webapp.api import control, events, feed, metrics, openapi, permissions, sessions, sockets, streams, tasks

    for module in (tasks, events, permissions, control, streams, feed, sockets, sessions, openapi, metrics):
        app.register_blueprint(module.blueprint)
