"""The pages: HTML for people."""

from __future__ import annotations

from quart import Quart


def install(app: Quart) -> None:
    """Mount all pages."""
    from signalbox.webapp.pages import (
        account,
        audits,
        checkpoints,
        compare,
        control,
        demo,
        export,
        log,
        permissions,
        selection,
        sessions,
        spans,
        static,
        tasks,
        timeline,
        views,
    )

    lists = (static, tasks, selection, views, permissions, audits)
    for module in (*lists, control, log, spans, checkpoints, timeline, compare, export, demo, sessions, account):
        app.register_blueprint(module.blueprint)
