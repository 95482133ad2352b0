"""The actions that a person can apply to several tasks at once: who may, which tasks refuse, and the action itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from signalbox.store.people import Scope
from signalbox.store.state import Task
from signalbox.webapp.acts.start_retry import retry_run
from signalbox.webapp.acts.user_actions import archive_task, delete_task, request_cancel


class ActionForm(NamedTuple):
    """The fields of the form that confirms an action. `form` is the number of the form, for a retry."""

    reason: str | None = None
    form: str | None = None


class TaskAction(NamedTuple):
    """An action on one of several tasks. `right` is needed in its project, and `done` describes the task afterwards.

    `refusal` returns the reason why a task does not allow the action, or None. `apply` raises Conflict, UnknownTask and
    TaskReplaced.
    """

    right: Scope
    done: str
    refusal: Callable[[Task], str | None]
    apply: Callable[[Task, ActionForm], Awaitable[object]]


def _never(task: Task) -> None:
    return None


def _not_deletable(task: Task) -> str | None:
    if task.hold is not None:
        return f"{task.hold.by} holds the run: {task.hold.reason}"
    return None if task.deletable else f"the run is {task.status}: cancel it first, or archive the task"


def _ended(task: Task) -> str | None:
    return f"the run has ended: it is {task.status}" if task.ended else None


def _not_ended(task: Task) -> str | None:
    return None if task.ended else f"the run has not ended: it is {task.status}"


async def _archive(task: Task, form: ActionForm) -> None:
    await archive_task(task.task_id, True, task.identity)


async def _restore(task: Task, form: ActionForm) -> None:
    await archive_task(task.task_id, False, task.identity)


async def _delete(task: Task, form: ActionForm) -> None:
    await delete_task(task.task_id, task.identity)


async def _cancel(task: Task, form: ActionForm) -> None:
    await request_cancel(task.task_id, form.reason, task.identity)


async def _retry(task: Task, form: ActionForm) -> None:
    await retry_run(task.task_id, form.form, task.identity)


TASK_ACTIONS = {
    "archive": TaskAction("respond", "archived", _never, _archive),
    "restore": TaskAction("respond", "restored", _never, _restore),
    "cancel": TaskAction("respond", "asked to stop", _ended, _cancel),
    "retry": TaskAction("respond", "started again", _not_ended, _retry),
    "delete": TaskAction("admin", "deleted", _not_deletable, _delete),
}
