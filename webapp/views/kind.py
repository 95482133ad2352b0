"""The newest runs of one kind: their durations as bars, their statistics, and their most common errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from signalbox.store import Reading, TaskQuery
from signalbox.store.model_calls import Usage
from signalbox.store.state import Task
from signalbox.store.times import epoch_seconds
from signalbox.webapp.views.kinds import RUNS
from signalbox.webapp.views.run_statistics import FAILED, Statistics, statistics_of

MAX_ERRORS = 10
MAX_ERROR_CHARS = 300


@dataclass(frozen=True)
class KindRun:
    """One run. `seconds` is its duration, up to now if it is active; None if it has not started.

    `compared` is the id of the last run before it that succeeded, or None.
    """

    task: Task
    seconds: float | None
    compared: str | None

    @property
    def status(self) -> str:
        """The status of the run."""
        return self.task.status

    @property
    def duration(self) -> float | None:
        """The seconds that the run took; None if it has not ended."""
        return self.seconds if self.task.ended_at else None


@dataclass(frozen=True)
class CommonError:
    """An error that `runs` of the shown runs had. `text` is that of the `newest` of them."""

    text: str
    runs: int
    newest: Task


@dataclass(frozen=True, kw_only=True)
class KindView:
    """A kind: its newest runs, the newest first, that pass the filters of `query`.

    `exists` says that the reader may see a run of this kind, and `more` that there are older runs. `projects` has the
    names of the projects that the reader sees, by id.
    """

    kind: str
    exists: bool
    query: TaskQuery
    runs: list[KindRun]
    errors: list[CommonError]
    usage: Usage | None
    more: bool
    projects: dict[str, str]
    event_id: int

    @cached_property
    def statistics(self) -> Statistics:
        """The statistics of the shown runs."""
        return statistics_of(self.runs)

    @property
    def filtered(self) -> bool:
        """Whether the page shows only some runs of the kind."""
        return bool(self.query.project or self.query.tags)

    @property
    def last_success(self) -> Task | None:
        """The newest run that succeeded."""
        return next((run.task for run in self.runs if run.task.status == "done"), None)

    @property
    def with_errors(self) -> bool:
        """Whether a shown run has an error."""
        return any(run.task.error for run in self.runs)


def kind_query(
    kind: str, projects: tuple[str, ...] | None, project: str | None, tags: Sequence[tuple[str, str]]
) -> TaskQuery:
    """Return the query for the newest runs of a kind. Archived runs count too."""
    return TaskQuery(kind=kind, projects=projects, project=project, tags=tuple(tags), limit=RUNS)


async def kind_view(view: Reading, query: TaskQuery) -> KindView:
    """Read the newest runs of `query.kind`."""
    assert query.kind is not None
    page = await view.tasks(query)
    exists = bool(page.tasks) or bool((await view.newest_runs([query.kind], 1, query.projects))[query.kind])
    fingerprints = await view.fingerprints([task.task_id for task in page.tasks if task.status in FAILED])
    usage = None
    for task in page.tasks:
        if task.usage:
            usage = usage.plus(task.usage) if usage else task.usage
    return KindView(
        kind=query.kind,
        exists=exists,
        query=query,
        runs=_runs(page.tasks),
        errors=_errors(page.tasks, fingerprints),
        usage=usage,
        more=page.cursor is not None,
        projects=await view.project_names(query.projects),
        event_id=page.event_id,
    )


def _runs(tasks: Sequence[Task]) -> list[KindRun]:
    found: list[KindRun] = []
    success: str | None = None
    for task in reversed(tasks):
        found.append(KindRun(task, _seconds(task), success))
        if task.status == "done":
            success = task.task_id
    return found[::-1]


def _seconds(task: Task) -> float | None:
    if task.started_at is None:
        return None
    try:
        return max(0.0, epoch_seconds(task.ended_at or task.updated_at) - epoch_seconds(task.started_at))
    except ValueError:
        return None


def _errors(tasks: Sequence[Task], fingerprints: dict[str, str]) -> list[CommonError]:
    """Group the failed runs by the fingerprint of their error, or else by its text. The most common comes first."""
    groups: dict[str, CommonError] = {}
    for task in tasks:
        if task.status in FAILED:
            text = (task.error or f"{task.status}, without a message").strip()
            key = fingerprints.get(task.task_id) or text
            known = groups.get(key)
            groups[key] = CommonError(known.text, known.runs + 1, known.newest) if known else CommonError(text, 1, task)
    # `sorted` keeps the order of errors that are equally common: the newest first.
    return sorted(groups.values(), key=lambda error: -error.runs)[:MAX_ERRORS]
