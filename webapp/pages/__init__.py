"""The pages: HTML for people."""

from __future__ import annotations

from quart import Quart


def install(app: Quart) -> None:
    """Mount all pages."""
    from webapp.pages import demo, export, log, permissions, spans, tasks

    for module in (tasks, log, spans, permissions, export, demo):
        app.register_blueprint(module.blueprint)
