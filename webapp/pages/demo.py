"""The demo page: a task's events as EventStreamService delivers them, with buttons that break the connection."""

from __future__ import annotations

from quart import Blueprint, Response

from signalbox.store import Event, TaskQuery
from signalbox.store.state import Task
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.guard import require, visible_projects
from signalbox.webapp.current import fragments, store
from signalbox.webapp.http.params import parameter
from signalbox.webapp.pages.responses import html, layout

ROWS = 30
TASKS = 50

blueprint = Blueprint("demo", __name__)


@blueprint.get("/demo")
@needs("read")
async def show() -> Response:
    wanted = parameter("task")
    if wanted:
        await require("read", wanted)
    async with store().read() as view:
        tasks = (await view.tasks(TaskQuery(projects=visible_projects(), limit=TASKS))).tasks
        task: Task | None = await view.task(wanted) if wanted else next(iter(tasks), None)
        events: list[Event] = []
        if task:
            events = (await view.brief().rows_before(task.task_id, task.latest_seq + 1, ROWS))[::-1]
    if task and all(task.task_id != other.task_id for other in tasks):
        tasks = [task, *tasks]
    return html(fragments().plain_page("demo/show.html", await layout(), task=task, tasks=tasks, events=events))
