"""The pages: HTML for people."""

from __future__ import annotations

from quart import Quart


def install(app: Quart) -> None:
    """Mount all pages."""
    from signalbox.webapp.pages import (
        account,
        admin,
        artifacts,
        audits,
        checkpoints,
        compare,
        control,
        conversation,
        demo,
        export,
        help,
        holds,
        kinds,
        log,
        log_reading,
        login,
        password_links,
        payload,
        permissions,
        row_details,
        saved_views,
        search,
        selection,
        spans,
        static,
        tasks,
        timeline,
        viewer_zone,
        watch,
    )

    lists = (static, tasks, selection, saved_views, search, permissions, kinds, audits, help, viewer_zone)
    for module in (
        *lists,
        control,
        holds,
        log,
        log_reading,
        row_details,
        payload,
        artifacts,
        conversation,
        spans,
        checkpoints,
        timeline,
        compare,
        watch,
        export,
        demo,
        login,
        account,
        password_links,
        *admin.MODULES,
    ):
        app.register_blueprint(module.blueprint)
