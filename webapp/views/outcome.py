"""The outcome of a run that has ended: why it failed or who cancelled it, and how it relates to other runs."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from signalbox.store import Reading, TaskQuery, TaskReading
from signalbox.store.contract import SameError
from signalbox.store.state import Task
from signalbox.webapp.views.cancellation import Cancellation, cancellation_of
from signalbox.webapp.views.comparison import ComparedItem, first_difference
from signalbox.webapp.views.failure import Failure, failure_of

COMMAND = "command"
"""The kind of the runs of `signalbox run` without `--kind`, which have nothing in common but their command."""

CANDIDATES = 20
"""The newest successful runs of a kind in which one with the same title is sought."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of a run. `success` is the last successful run of its kind.

    `difference` is the first difference from that run, with the name of its phase. It is None for a run without spans,
    and for one with too many spans.
    """

    failure: Failure | None = None
    cancellation: Cancellation | None = None
    same: SameError | None = None
    success: Task | None = None
    difference: tuple[str, ComparedItem] | None = None


async def outcome_of(reading: TaskReading, view: Reading, task: Task) -> Outcome | None:
    """Read the outcome of a run as of `reading`, and the other runs in `view`. Returns None for an active run."""
    if not task.ended:
        return None
    failure, success = await failure_of(reading, task), await last_success(view, task)
    return Outcome(
        failure=failure,
        cancellation=await cancellation_of(reading, task),
        same=await view.same_error(task.task_id) if failure else None,
        success=success,
        difference=await first_difference(view, success, reading, task) if failure and success else None,
    )


async def last_success(view: Reading, task: Task) -> Task | None:
    """Return the last successful run of the kind before `task`, or else the newest one after it. None without a kind.

    A run with the same title is preferred.
    """
    if not task.kind:
        return None
    query = TaskQuery(kind=task.kind, statuses=("done",), projects=(task.project_id,), limit=CANDIDATES)
    for until in (task.created_at, None):
        page = await view.tasks(msgspec.structs.replace(query, until=until))
        found = [other for other in page.tasks if other.task_id != task.task_id]
        alike = [other for other in found if other.title == task.title]
        chosen = alike or ([] if task.kind == COMMAND else found)
        if chosen:
            return chosen[0]
    return None
