"""Actions on several tasks: a page asks for confirmation, then the action is applied to each task."""

from __future__ import annotations

from dataclasses import dataclass, field

from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Redirect

from signalbox.store import Conflict, Reading, StoreDamaged, StoreUnavailable, TaskReplaced, UnknownTask
from signalbox.store.identity import parse_reference
from signalbox.store.people import Scope
from signalbox.store.state import Task
from signalbox.webapp.acts.user_actions import archive_task, delete_task
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
RIGHTS: dict[str, Scope] = {"archive": "respond", "restore": "respond", "delete": "admin"}
"""The actions on selected tasks, and the right that each needs in the project of each task."""

DONE_WORDS = {"archive": "archived", "restore": "restored", "delete": "deleted"}


@dataclass(kw_only=True)
class Selection:
    """The selected tasks and the action on them.

    `refused` has the tasks that do not allow it, with the reason. `unknown` has the ids of tasks that were deleted,
    `replaced` those that belong to another task now.
    """

    action: str
    filters: str
    tasks: list[Task] = field(default_factory=list)
    refused: list[tuple[Task, str]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    done: int | None = None

    @property
    def done_word(self) -> str:
        """The state of a task after the action, as a word of the page."""
        return DONE_WORDS[self.action]

    @property
    def back(self) -> str:
        """The address of the list in which the tasks were selected."""
        return at_root(f"/tasks?{self.filters}" if self.filters else "/tasks")


@blueprint.get("")
@blueprint.post("")
@needs("read")
async def show() -> Response:
    given = await request.values
    action = given.get("do") or "archive"
    if action not in RIGHTS:
        raise BadRequest(f"do must be one of {', '.join(RIGHTS)}, not {action[:40]!r}", "do")
    return await _page(await _chosen(action))


@blueprint.post("/<any(archive, restore, delete):action>")
@needs("respond")
async def apply(action: str) -> Response | Redirect:
    chosen = await _chosen(action)
    chosen.done = 0
    for task in chosen.tasks:
        try:
            if action == "delete":
                await delete_task(task.task_id, task.identity)
            else:
                await archive_task(task.task_id, action == "archive", task.identity)
            chosen.done += 1
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
    return await _page(chosen, 409) if chosen.refused or chosen.replaced else redirect(chosen.back, 303)


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
    caller, right = await principal(), RIGHTS[action]
    async with store().read() as view:
        for task_id, identity in map(parse_reference, wanted):
            task = await _seen(view, task_id, caller)
            if task is None:
                chosen.unknown.append(task_id)
            elif identity not in (None, task.identity):
                chosen.replaced.append(task_id)
            elif not caller.may(right, task.project_id):
                chosen.refused.append((task, f"you do not have the right to do this in the project {task.project_id}"))
            elif action == "delete" and not task.deletable:
                chosen.refused.append((task, f"the run is {task.status}: cancel it first, or archive the task"))
            else:
                chosen.tasks.append(task)
    return chosen


async def _seen(view: Reading, task_id: str, caller: Principal) -> Task | None:
    try:
        task = await view.task(task_id)
    except UnknownTask:
        return None
    return task if caller.may("read", task.project_id) else None
