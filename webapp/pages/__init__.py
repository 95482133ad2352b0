"""The pages: HTML for people."""

from __future__ import annotations

from quart import Quart


def install(app: Quart) -> None:
    """Mount all pages."""
    from webapp.pages import tasks

    app.register_blueprint(tasks.blueprint)
