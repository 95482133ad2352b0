"""Pages and their parts as HTML. The same template makes a part for a fresh page and for a frame of a live one.

Everything here is a pure function of what was read: no clock, no request. All output is UTF-8 with LF line ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from signalbox.store.events import KNOWN_EVENTS, is_claim
from signalbox.store.state import STATUSES, Task
from signalbox.webapp.drawing import ansi, ids
from signalbox.webapp.drawing.rows import Rows
from signalbox.webapp.drawing.sparkline import bars
from signalbox.webapp.drawing.track import stations
from signalbox.webapp.http import assets
from signalbox.webapp.http.path_segments import segment
from signalbox.webapp.views import text
from signalbox.webapp.views.as_of import AsOf, as_of
from signalbox.webapp.views.forecast import expected
from signalbox.webapp.views.list_query import AGES, ORDERS, VIEWS, bound, list_fields, list_filters, list_url
from signalbox.webapp.views.log import LogWindow
from signalbox.webapp.views.permissions import InboxView
from signalbox.webapp.views.report import Report
from signalbox.webapp.views.retries import origin_of, retries_of
from signalbox.webapp.views.span_tree import SpanLine
from signalbox.webapp.views.task import TaskView, changed_at
from signalbox.webapp.views.task_list import TaskListView

TEMPLATES = Path(__file__).parent.parent / "templates"

HTMX_CONFIG = {"extensions": "sse, keep-open", "includeIndicatorCSS": False, "history": False}

TASK_PARTS = {
    ids.PAGE_META: "tasks/_meta.html",
    ids.TASK_HEADER: "tasks/_header.html",
    ids.TRACK: "tasks/_track.html",
    ids.PERMISSIONS: "permissions/_panel.html",
    ids.SPANS: "spans/_panel.html",
    ids.CHECKPOINTS: "checkpoints/_panel.html",
    ids.LOG_HEAD: "events/_head.html",
    ids.LOG_ALIVE: "events/_alive.html",
}
"""The parts of the task page, each with the DOM id that it has and the template that draws it."""

NOW_WHAT: dict[int | str, str] = {
    "not_yet": "Go back, and choose that event or a later one.",
    400: "Check the address, or start again from the list.",
    401: "Log in, then do it again.",
    403: "Ask an owner of the project, or do it from a page of this server.",
    404: "It may have been deleted, or the address has a slip in it.",
    405: "Go back and use the page's own links and buttons.",
    413: "Send less at once: several events can go in several requests.",
    421: "Open it under the name that the server was started with, or add this name to the setting allowed_hosts.",
    429: "Wait a moment, then try again.",
    500: "Try again. If it stays so, the server's log says more.",
    503: "Nothing is lost. Wait a moment, then load this page again.",
}
"""What somebody can do about an error, by its code or its status."""


class Fragments:
    """Renders pages and frames. `asset` turns a path below `static/` into its address; `root` begins every address."""

    def __init__(self, asset: Callable[[str], str], root: str = "") -> None:
        self._root = root
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=StrictUndefined,
            finalize=_finalize,
            auto_reload=False,
            cache_size=-1,
        )
        times = (text.moment, text.between, text.elapsed, text.duration, text.offset)
        shared = (text.said, text.command_line, text.size, *times, text.count, text.percent, text.plural)
        self._environment.globals.update(
            {function.__name__: function for function in shared},
            ids=ids,
            asset=lambda path: f"{root}{asset(path)}",
            root=root,
            inlined=assets.inlined,
            pretty=_pretty,
            list_url=lambda *args, **changes: f"{root}{list_url(*args, **changes)}",
            list_fields=list_fields,
            list_filters=list_filters,
            bound=bound,
            bars=bars,
            ages=AGES,
            orders=ORDERS,
            built_in_views=VIEWS,
            statuses=STATUSES,
            htmx_config=msgspec.json.encode(HTMX_CONFIG).decode(),
            event_types=KNOWN_EVENTS,
            is_claim=is_claim,
            place="",
            as_of=as_of,
            coloured=ansi.render,
            past=None,
            at=None,
        )
        self._environment.filters["segment"] = segment
        self._rows = Rows(self._environment)
        self._environment.globals.update(hits=self._rows.hits, neighbours=self._rows.render)
        self._task_row = self._environment.get_template("tasks/_row.html")
        self._span_line: Callable[..., Markup] = vars(self._environment.get_template("spans/_line.html").module)[
            "span_line"
        ]

    # the task page

    def task_page(self, view: TaskView, **page: Any) -> str:
        """The whole page of a task. `page` has what the layout shows: permissions_open, epoch, heartbeat."""
        return self._render("tasks/show.html", **self._whole_task(view), page=_page(page))

    def past_page(self, view: TaskView, past: AsOf, **page: Any) -> str:
        """The same page as of an earlier event: it does not live, and what it leads to is of then."""
        return self._render("tasks/past.html", **self._whole_task(view, past), page=_page(page))

    def _whole_task(self, view: TaskView, past: AsOf | None = None) -> dict[str, Any]:
        values = self._task_values(view, past)
        parts = {part: Markup(self._part(part, values)) for part in TASK_PARTS}
        return {**values, "parts": parts, "rows": self._rows.render(view.rows)}

    def task_frame(self, view: TaskView, since: int, *, flags: bool = True) -> str:
        """What a page that stands at `since` lacks: its position, the parts that changed, the rows after it.

        With `flags` what is kept beside the log comes too, whatever the seq.
        """
        values = self._task_values(view)
        out = [_position(since, view.seq)]
        changed = (part for part in TASK_PARTS if changed_at(view.task, part) > since)
        out += [_swap(part, _how(part), self._part(part, values)) for part in changed]
        if flags:
            out.append(_swap(ids.TASK_FLAGS, "outerHTML", self._render("tasks/_flags.html", **values)))
            out.append(_swap(ids.LOG_UNFINISHED, "outerHTML", self._render("events/_unfinished.html", **values)))
        if view.seq == since:
            return "\n".join(out)
        if view.task.spans_seq <= since:
            changed_lines = ((ids.span(line.span.span_id), values["span_line"](line)) for line in view.changed_lines)
            out += [_swap(target, "outerMorph", line) for target, line in changed_lines]
        if view.rows:
            out.append(_swap(ids.LOG_ROWS, "innerHTML" if view.skipped else "beforeend", self._rows.render(view.rows)))
        return "\n".join(out)

    def _task_values(self, view: TaskView, past: AsOf | None = None) -> dict[str, Any]:
        task = view.task
        path, at = f"{self._root}/tasks/{task.task_id}", past.seq if past else None

        def span_line(line: SpanLine) -> Markup:
            return self._span_line(line.span, line.depth, path, task.updated_at, at)

        return {
            "view": view,
            "path": path,
            "flags": view.flags,
            "past": past,
            "at": at,
            "stations": stations(task, view.phases),
            "origin": origin_of(task),
            "retries": retries_of(task),
            "next_step": expected(view.phases, view.earlier, current=task.phase),
            "span_line": span_line,
            "page_title": page_title(task),
            "page_icon": assets.inlined(f"icons/{task.status}.svg"),
        }

    def _part(self, part: str, values: dict[str, Any]) -> str:
        return self._render(TASK_PARTS[part], **values)

    # the log

    def log_window(self, log: LogWindow) -> str:
        """The rows of a stretch of the log alone, for a page that shows their neighbours."""
        return self._rows.render(log.rows)

    def report(self, report: Report) -> str:
        """A run as a file of its own."""
        styles = Markup(f"<style>{assets.load('css/app.css').body.decode()}</style>")
        rows = self._rows.render(report.events, whole=False)
        return self._render("exports/run.html", report=report, styles=styles, rows=rows)

    # the list, the inbox

    def list_page(self, view: TaskListView, *, stream_path: str = "", **page: Any) -> str:
        """The task list as a page; it lives if there is a `stream_path`."""
        return self._render(
            "tasks/index.html",
            view=view,
            panel=Markup(self.list_panel(view)),
            stream_path=stream_path,
            live_list=bool(stream_path),
            page=_page(page),
            place="tasks",
        )

    def list_panel(self, view: TaskListView) -> str:
        """The part of the list page that changes: filters with their counts, rows, links to other pages."""
        return self._render("tasks/_list.html", view=view, rows=[Markup(row) for _, row in self.list_rows(view)])

    def list_rows(self, view: TaskListView) -> list[tuple[str, str]]:
        """The rows of a page of the list, each with its task's id."""
        names = view.projects if len(view.projects) > 1 else {}
        return [(task.task_id, self._list_row(task, project_names=names, pick=view.manages)) for task in view.tasks]

    def _list_row(self, task: Task, **values: Any) -> str:
        try:
            return self._task_row.render(task=task, **values)
        except Exception:  # A row that cannot be drawn affects no other row.
            plain = Task(
                task_id=task.task_id,
                created_at=task.created_at,
                updated_at=task.updated_at,
                main_span_id="",
                project_id=task.project_id,
                status=task.status,
                unreadable=True,
            )
            return self._task_row.render(task=plain, **values)

    def list_frame(self, view: TaskListView, since: int) -> str:
        """What brings a list page from the position `since` to `view`, whatever it shows."""
        return _position(since, view.event_id) + _swap(ids.TASK_LIST, "outerMorph", self.list_panel(view))

    def list_frame_rows(self, view: TaskListView, since: int, changed: dict[str, str]) -> str:
        """The same for a page of which nothing but some rows (by task id) differs."""
        rows = (_swap(ids.task(task_id), "outerMorph", row) for task_id, row in changed.items())
        return _position(since, view.event_id) + "\n".join(rows)

    def inbox_page(self, inbox: InboxView, *, stream_path: str = "", **page: Any) -> str:
        """All open permission requests; the page lives if there is a `stream_path`."""
        return self._render(
            "permissions/index.html",
            inbox=inbox,
            panel=Markup(self.inbox_panel(inbox)),
            stream_path=stream_path,
            page=_page(page),
            place="permissions",
        )

    def inbox_panel(self, inbox: InboxView) -> str:
        """The part of the inbox that changes."""
        return self._render("permissions/_inbox.html", inbox=inbox)

    def inbox_frame(self, inbox: InboxView, since: int) -> str:
        """What brings an inbox from the position `since` to `inbox`."""
        return _position(since, inbox.event_id) + _swap(ids.INBOX, "outerMorph", self.inbox_panel(inbox))

    def plain_page(self, template: str, page: dict[str, Any], **values: Any) -> str:
        """A page that is its template and nothing more; `page` has what the layout shows."""
        return self._render(template, **values, page=_page(page))

    def parts(self, templates: Mapping[str, str], **values: Any) -> dict[str, str]:
        """Parts of a page, drawn by their templates: `{DOM id: template}` in, `{DOM id: HTML}` out."""
        return {part: self._render(template, **values) for part, template in templates.items()}

    def parts_frame(self, parts: Mapping[str, str], since: int, to: int) -> str:
        """What brings a page from the position `since` to `to`: those of its parts that changed."""
        return _position(since, to) + "\n".join(_swap(part, "outerMorph", html) for part, html in parts.items())

    # errors

    def error_page(self, status: int, code: str, message: str) -> str:
        """What happened, and what now."""
        try:
            what = HTTPStatus(status).phrase
        except ValueError:
            what = code.replace("_", " ").capitalize()
        now_what = NOW_WHAT.get(code) or NOW_WHAT.get(status, "Go back, or start again from the list.")
        values = {"status": status, "what": what, "message": message, "now_what": now_what}
        return self._render("errors/error.html", **values, page=_page({}))

    def _render(self, template: str, **values: Any) -> str:
        return self._environment.get_template(template).render(**values)


def page_title(task: Task) -> str:
    """The title of a task's tab: what needs somebody first."""
    return f"{task.status} · {task.title or task.task_id} · Signalbox"


def _how(part: str) -> str:
    # A morph keeps the focus and what a reader has opened; where nothing can be focused a plain swap is cheaper.
    return "outerHTML" if part in (ids.PAGE_META, ids.TRACK, ids.LOG_HEAD, ids.LOG_ALIVE) else "outerMorph"


def _position(since: int, to: int) -> str:
    return f'<hx-frame data-from="{since}" data-to="{to}" data-latest="{to}"></hx-frame>\n'


def _swap(target: str, how: str, part: str) -> str:
    return f'<hx-partial hx-target="#{target}" hx-swap="{how}">{part}</hx-partial>'


def _page(given: dict[str, Any]) -> dict[str, Any]:
    return {
        "person": "",
        "permissions_open": 0,
        "epoch": "",
        "heartbeat": 15,
        "base_url": "http://127.0.0.1:8000",
        **given,
    }


def _pretty(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _finalize(value: Any) -> Any:
    return text.clean(value) if type(value) is str else value
