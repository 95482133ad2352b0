"""The task page as HTML, whole and as frames."""

from __future__ import annotations

from collections.abc import Callable, Container
from functools import cached_property
from typing import Any

from markupsafe import Markup

from signalbox.store.state import Task
from signalbox.webapp.drawing import ids
from signalbox.webapp.drawing.log_head import log_head
from signalbox.webapp.drawing.swaps import position, swap
from signalbox.webapp.drawing.templates import Templates
from signalbox.webapp.drawing.track import stations
from signalbox.webapp.http import assets
from signalbox.webapp.views.forecast import expected
from signalbox.webapp.views.labels import labels_of
from signalbox.webapp.views.retries import origin_of, retries_of
from signalbox.webapp.views.span_tree import SpanLine
from signalbox.webapp.views.task import TaskView, changed_parts
from signalbox.webapp.views.time_travel import TimeTravel

TASK_PARTS: dict[str, str | Callable[[TaskView, str, str], str]] = {
    ids.PAGE_META: "tasks/_meta.html",
    ids.TASK_HEADER: "tasks/_header.html",
    ids.FAILURE: "failures/_box.html",
    ids.TRACK: "tasks/_track.html",
    ids.PERMISSIONS: "permissions/_panel.html",
    ids.MESSAGES: "messages/_panel.html",
    ids.SPANS: "spans/_panel.html",
    ids.CHECKPOINTS: "checkpoints/_panel.html",
    ids.ARTIFACTS: "artifacts/_panel.html",
    ids.LOG_HEAD: log_head,
    ids.LOG_ALIVE: "events/_heartbeats.html",
}
"""The parts of the task page, each with the DOM id that it has and the template or the function that draws it.

A function gets the view, the path of the task, and the root of all addresses.
"""


class TaskPages(Templates):
    """Renders task pages and their frames."""

    def task_page(self, view: TaskView, **layout: Any) -> str:
        """Return the whole page of a task; for `layout` see `pages.responses.layout`."""
        return self._render_page("tasks/show.html", layout, **self._whole_task(view))

    def time_travel_page(self, view: TaskView, time_travel: TimeTravel, **layout: Any) -> str:
        """Return the same page as of an earlier event. Its links lead to pages as of that event."""
        return self._render_page("tasks/time_travel.html", layout, **self._whole_task(view, time_travel))

    def time_travel_parts(self, view: TaskView, time_travel: TimeTravel) -> dict[str, str]:
        """Return all parts of that page by DOM id, for its frames."""
        values = self._whole_task(view, time_travel)
        templates = {
            ids.TIME_TRAVEL: "_time_travel.html",
            ids.LOG_OLDER: "events/_older.html",
            ids.LOG_ROWS: "events/_rows.html",
        }
        parts: dict[str, str] = {**values["parts"]}
        return parts | {part: self._render(template, **values) for part, template in templates.items()}

    def _whole_task(self, view: TaskView, time_travel: TimeTravel | None = None) -> dict[str, Any]:
        values = self._task_values(view, time_travel)
        parts = {part: Markup(self._part(part, values)) for part in TASK_PARTS}
        return {**values, "parts": parts, "rows": self._rows.render(view.rows, view.task, view.depths)}

    def task_frame(self, view: TaskView, since: int, *, outside_log: bool = True) -> str:
        """Return the frame for a page at `since`: its new position, the parts that changed, and the new rows.

        With `outside_log` it also has the flags and the unfinished output, which change without an event.
        """
        changed = changed_parts(view.task, since)
        values = self._task_values(view, parts=changed)
        out = [position(since, view.seq)]
        out += [swap(part, _swap_style(part), self._part(part, values)) for part in TASK_PARTS if part in changed]
        if outside_log:
            out.append(swap(ids.TASK_FLAGS, "outerHTML", self._render("tasks/_flags.html", **values)))
            out.append(swap(ids.LOG_UNFINISHED, "outerHTML", self._render("events/_unfinished.html", **values)))
        if view.seq == since:
            return "\n".join(out)
        if ids.SPANS not in changed:
            changed_lines = ((ids.span(line.span.span_id), values["span_line"](line)) for line in view.changed_lines)
            out += [swap(target, "outerMorph", line) for target, line in changed_lines]
        if view.rows:
            rows = self._rows.render(view.rows, view.task, view.depths)
            out.append(swap(ids.LOG_ROWS, "innerHTML" if view.skipped else "beforeend", rows))
        return "\n".join(out)

    def _task_values(
        self, view: TaskView, time_travel: TimeTravel | None = None, parts: Container[str] = TASK_PARTS
    ) -> dict[str, Any]:
        """Return the values for the templates of these parts."""
        task = view.task
        path, at = f"{self._root}/tasks/{task.task_id}", time_travel.position if time_travel else None

        def span_line(line: SpanLine) -> Markup:
            return self._span_line(line.span, line.depth, path, task.updated_at, at)

        values = {
            "view": view,
            "path": path,
            "time_travel": time_travel,
            "at": at,
            "span_line": span_line,
        }
        if ids.PAGE_META in parts:
            values |= {"page_title": page_title(task), "page_icon": assets.inlined(f"icons/{task.status}.svg")}
        if ids.TASK_HEADER in parts:
            values |= {"origin": origin_of(task), "retries": retries_of(task), "labels": labels_of(task)}
        if ids.TRACK in parts:
            values |= {
                "stations": stations(task, view.phases, view.earlier),
                "next_step": expected(view.phases, view.earlier, current=task.phase),
            }
        return values

    def _part(self, part: str, values: dict[str, Any]) -> str:
        drawn_by = TASK_PARTS[part]
        if callable(drawn_by):
            return drawn_by(values["view"], values["path"], self._root)
        return self._render(drawn_by, **values)

    @cached_property
    def _span_line(self) -> Callable[..., Markup]:
        macro: Callable[..., Markup] = vars(self._environment.get_template("spans/_line.html").module)["span_line"]
        return macro


def page_title(task: Task) -> str:
    """Return the title of a task's tab, with the most urgent word first."""
    return f"{task.status} · {task.title or task.task_id} · Signalbox"


def _swap_style(part: str) -> str:
    # A morph keeps the focus and open details. Parts that contain neither use the cheaper swap.
    return "outerHTML" if part in (ids.PAGE_META, ids.TRACK, ids.LOG_HEAD, ids.LOG_ALIVE) else "outerMorph"
