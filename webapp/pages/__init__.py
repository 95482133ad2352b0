"""The pages: HTML for people."""

from __future__ import annotations

from quart import Quart


def install(app: Quart) -> None:
    """Mount all pages."""
    from webapp.pages import audits, compare, control, demo, export, log, permissions, sessions, spans, tasks, timeline

    for module in (tasks, control, audits, log, spans, timeline, compare, permissions, export, demo, sessions):
        app.register_blueprint(module.blueprint)
