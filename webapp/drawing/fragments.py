"""Pages and their parts as HTML. The same template renders a part for a fresh page and for a frame of a live one.

Everything here is a pure function of a view: no clock, no request. All output is UTF-8 with LF line ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from markupsafe import Markup

from signalbox.store.state import Task
from signalbox.webapp.drawing import ids
from signalbox.webapp.drawing.error_page import error_values
from signalbox.webapp.drawing.list_pages import ListPages
from signalbox.webapp.drawing.swaps import position, swap
from signalbox.webapp.drawing.task_page import TaskPages
from signalbox.webapp.drawing.turns import TurnChanges
from signalbox.webapp.http import assets
from signalbox.webapp.views.addresses import TaskPosition
from signalbox.webapp.views.conversation.blocks import Block
from signalbox.webapp.views.log import LogWindow
from signalbox.webapp.views.run_report import Report


class Fragments(TaskPages, ListPages):
    """Renders all pages, their parts and their frames."""

    def plain_page(self, template: str, layout: dict[str, Any], **values: Any) -> str:
        """Return a page that its template renders from `values` alone; for `layout` see `pages.responses.layout`."""
        return self._render_page(template, layout, **values)

    def parts(self, templates: Mapping[str, str], **values: Any) -> dict[str, str]:
        """Render parts of a page: takes `{DOM id: template}` and returns `{DOM id: HTML}`."""
        return {part: self._render(template, **values) for part, template in templates.items()}

    def turns(self, blocks: Iterable[Block], path: str, task: Task, at: TaskPosition | None) -> dict[str, Markup]:
        """Return the blocks of a conversation by DOM id."""
        turn = vars(self._environment.get_template("conversation/_turn.html").module)["turn"]
        return {ids.turn(block.name): turn(block, path, task, at) for block in blocks}

    def turns_frame(self, changes: TurnChanges, parts: Mapping[str, str], since: int, to: int) -> str:
        """Return a frame with the parts that changed and the changes of the blocks of a conversation."""
        out = [swap(part, "outerMorph", html) for part, html in parts.items()]
        out += [swap(turn, "delete", "") for turn in changes.removed]
        out += [swap(turn, "outerMorph", html) for turn, html in changes.changed.items()]
        if changes.added:
            out.append(swap(ids.TURNS, "beforeend", "".join(changes.added.values())))
        return position(since, to) + "\n".join(out)

    def parts_frame(self, parts: Mapping[str, str], since: int, to: int) -> str:
        """Return the frame that brings a page from the position `since` to `to`, with the parts that changed."""
        return position(since, to) + "\n".join(swap(part, "outerMorph", html) for part, html in parts.items())

    def log_window(self, log: LogWindow) -> str:
        """Return the rows of a window of the log alone, for a page that adds them to its own."""
        return self._rows.render(log.rows, log.task, log.depths)

    def report(self, report: Report) -> str:
        """Return a run as a file of its own."""
        styles = Markup(f"<style>{assets.load('css/app.css').body.decode()}</style>")
        rows = self._rows.render(report.events, None)
        return self._render("exports/run.html", report=report, styles=styles, rows=rows)

    def error_page(self, status: int, code: str, message: str, **more: Any) -> str:
        """Return the page of an error. For `more` see `error_values`."""
        return self._render_page("errors/error.html", {}, **error_values(status, code, message, **more))
