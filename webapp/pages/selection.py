"""Actions on several tasks: a page asks for confirmation, then the action is applied to each task."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from urllib.parse import urlencode

from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Redirect

from signalbox.store import Conflict, Reading, StoreDamaged, StoreUnavailable, TaskReplaced, UnknownTask
from signalbox.store.identity import parse_reference, reference_to
from signalbox.store.state import Task
from signalbox.webapp.acts.task_actions import TASK_ACTIONS, ActionForm
from signalbox.webapp.acts.user_actions import checked_reason
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.guard import principal
from signalbox.webapp.auth.principal import Principal
from signalbox.webapp.current import fragments, store
from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.errors import error_response, reason_of
from signalbox.webapp.http.root_path import at_root
from signalbox.webapp.pages.responses import html, layout
from signalbox.webapp.views.list_query import checked_filters
from signalbox.webapp.views.text import plural

blueprint = Blueprint("selection", __name__, url_prefix="/selection")

MAX_TASKS = 500
MAX_WATCHED = 9
MAX_UNDO = 20
"""Archived tasks that the list offers to restore at once. Their ids are in its address."""


@dataclass(kw_only=True)
class Selection:
    """The selected tasks and the action on them.

    `refused` has the tasks that do not allow it, with the reason. `unknown` has the ids of tasks that were deleted,
    `replaced` those that belong to another task now. `form` is the number of the form that confirms a retry.
    """

    action: str
    filters: str
    tasks: list[Task] = field(default_factory=list)
    refused: list[tuple[Task, str]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    done: int | None = None
    form: str = field(default_factory=lambda: str(time.time_ns() // 1000))

    @property
    def done_word(self) -> str:
        """The state of a task after the action, as a word of the page."""
        return TASK_ACTIONS[self.action].done

    @property
    def back(self) -> str:
        """The address of the list in which the tasks were selected."""
        return self.back_with("")

    def back_with(self, fields: str) -> str:
        """Return the same address with more fields."""
        query = "&".join(filter(None, (self.filters, fields)))
        return at_root(f"/tasks?{query}" if query else "/tasks")


@blueprint.get("")
@blueprint.post("")
@needs("read")
async def show() -> Response | Redirect:
    given = await request.values
    action = given.get("do") or "archive"
    if action == "compare":
        a, b = _references(given.getlist("task"), 2, 2, "compare")
        return redirect(at_root(f"/compare?{urlencode({'a': a, 'b': b})}"), 303)
    if action == "watch":
        watched = _references(given.getlist("task"), 2, MAX_WATCHED, "watch")
        return redirect(at_root(f"/watch?{urlencode([('task', task) for task in watched])}"), 303)
    if action not in TASK_ACTIONS:
        allowed = ", ".join(["compare", "watch", *TASK_ACTIONS])
        raise BadRequest(f"do must be one of {allowed}, not {action[:40]!r}", "do")
    return await _page(await _chosen(action))


@blueprint.post("/<any(archive, restore, cancel, retry, delete):action>")
@needs("respond")
async def apply(action: str) -> Response | Redirect:
    given = await request.form
    form = ActionForm(checked_reason(given.get("reason")), given.get("form"))
    chosen = await _chosen(action)
    chosen.done = 0
    changed: list[str] = []
    for task in chosen.tasks:
        try:
            await TASK_ACTIONS[action].apply(task, form)
            chosen.done += 1
            changed.append(reference_to(task))
        except TaskReplaced:
            chosen.replaced.append(task.task_id)
        except UnknownTask:
            chosen.unknown.append(task.task_id)
        except (Conflict, StoreDamaged) as error:
            chosen.refused.append((task, str(error)))
        except StoreUnavailable as error:
            if not chosen.done:
                raise
            done = f"{chosen.done} of {plural(len(chosen.tasks), 'task')} {chosen.done_word}"
            message = f"{done}; the others were not, because {reason_of(error)}"
            return error_response(503, message, code="partly_done", retry_after=error.retry_after)
    if chosen.refused or chosen.replaced:
        return await _page(chosen, 409)
    if action == "archive" and len(changed) <= MAX_UNDO:
        return redirect(chosen.back_with(urlencode([("undo", task) for task in changed])), 303)
    return redirect(chosen.back, 303)


def _references(given: list[str], least: int, most: int, action: str) -> list[str]:
    """Return the selected tasks. Raises BadRequest unless they are `least` to `most` tasks."""
    tasks = list(dict.fromkeys(given))
    if not least <= len(tasks) <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise BadRequest(f"select {wanted} tasks to {action} them, not {len(tasks)}", "task")
    return tasks


async def _page(chosen: Selection, status: int = 200) -> Response:
    response = html(fragments().plain_page("selection/show.html", await layout(), chosen=chosen))
    response.status_code = status
    return response


async def _chosen(action: str) -> Selection:
    given = await request.values
    wanted = list(dict.fromkeys(given.getlist("task")))
    if len(wanted) > MAX_TASKS:
        raise BadRequest(f"at most {MAX_TASKS} tasks can be selected at once, not {len(wanted)}", "task")
    chosen = Selection(action=action, filters=checked_filters(given.get("filters", "")))
    caller, wanted_action = await principal(), TASK_ACTIONS[action]
    async with store().read() as view:
        for task_id, identity in map(parse_reference, wanted):
            task = await _seen(view, task_id, caller)
            if task is None:
                chosen.unknown.append(task_id)
            elif identity not in (None, task.identity):
                chosen.replaced.append(task_id)
            elif not caller.may(wanted_action.right, task.project_id):
                chosen.refused.append((task, f"you do not have the right to do this in the project {task.project_id}"))
            elif reason := wanted_action.refusal(task):
                chosen.refused.append((task, reason))
            else:
                chosen.tasks.append(task)
    return chosen


async def _seen(view: Reading, task_id: str, caller: Principal) -> Task | None:
    try:
        task = await view.task(task_id)
    except UnknownTask:
        return None
    return task if caller.may("read", task.project_id) else None
