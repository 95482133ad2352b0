"""The head of the log on the task page.

Every frame with a new row has it, so it is formatted here: a template takes ten times as long.
"""

from __future__ import annotations

from markupsafe import escape

from signalbox.store.identity import reference_to
from signalbox.webapp.drawing import ids
from signalbox.webapp.views.addresses import as_of, newest_position
from signalbox.webapp.views.task import TaskView
from signalbox.webapp.views.text import clean, plural


def log_head(view: TaskView, path: str, root: str) -> str:
    """Return the head: the number of rows, and links for a log with events. `path` is that of the task."""
    window = f'<span class="quiet log-window">newest {view.window} shown</span>' if view.cut else ""
    return (
        f'<div id="{ids.LOG_HEAD}" class="panel-head log-head">\n<h2 class="panel-title">Log</h2>\n'
        f'<span class="quiet">{plural(view.task.rows, "event")}</span>\n{window}{_links(view, path, root)}</div>'
    )


def _links(view: TaskView, path: str, root: str) -> str:
    if not view.seq:
        return ""
    past = escape(clean(as_of(path, newest_position(view.task))))
    compare = escape(clean(f"{root}/compare?a={reference_to(view.task)}"))
    return (
        f'<a class="log-past" href="{past}" data-key="t" data-key-label="Go back in time">time travel</a>'
        f' <a href="{compare}">compare</a>'
    )
