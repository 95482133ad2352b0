"""Progress bars of rich, which also report their progress.

from signalbox.integrations.rich import SignalboxProgress

with SignalboxProgress() as progress:
    for row in progress.track(rows, description="copying"):
        …

`SignalboxColumn` does the same for a `Progress` that a program has already, as long as its console is a terminal.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

from rich.progress import Progress, ProgressColumn, Task, TaskID
from rich.text import Text

from signalbox.integrations.reporting.log_lines import LogLines
from signalbox.integrations.reporting.program import ProgramTask
from signalbox.integrations.reporting.progress import ProgressReport


class SignalboxColumn(ProgressColumn):
    """An empty column that reports each bar when it is drawn. `close` ends the bars that are not finished.

    The keywords `store`, `server`, `token`, `project`, `task` and `title` say where: see `docs/integrations.md`.
    """

    def __init__(self, **where: str | None) -> None:
        super().__init__()
        self._bars = _Bars(LogLines(**where).task)

    def render(self, task: Task) -> Text:
        """Report the state of a bar, and draw nothing."""
        self._bars.update(task)
        return Text("")

    def close(self) -> None:
        """Report the last state of all bars, and end them."""
        self._bars.end_all(None)


class SignalboxProgress(Progress):
    """A `Progress` that reports its bars, also without a terminal. The keywords are those of `SignalboxColumn`.

    A bar is a work item, with at most four events a second and always its last state.
    """

    def __init__(
        self,
        *columns: str | ProgressColumn,
        store: str | None = None,
        server: str | None = None,
        token: str | None = None,
        project: str | None = None,
        task: str | None = None,
        title: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*columns, **options)
        lines = LogLines(store=store, server=server, token=token, project=project, task=task, title=title)
        self._bars = _Bars(lines.task)

    def add_task(self, description: str, *args: Any, **options: Any) -> TaskID:
        """Add a bar, and report it."""
        added = super().add_task(description, *args, **options)
        self._report(added)
        return added

    def update(self, task_id: TaskID, **options: Any) -> None:
        """Change a bar, and report it."""
        super().update(task_id, **options)
        self._report(task_id)

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """Advance a bar, and report it."""
        super().advance(task_id, advance)
        self._report(task_id)

    def remove_task(self, task_id: TaskID) -> None:
        """Remove a bar, and report its end."""
        with suppress(KeyError):
            self._bars.end(self._tasks[task_id])
        super().remove_task(task_id)

    def stop(self) -> None:
        """Stop drawing, and report the end of all bars."""
        for task in self.tasks:
            self._bars.update(task)
        self._bars.end_all(sys.exc_info()[1])
        super().stop()

    def _report(self, task_id: TaskID) -> None:
        task = self._tasks.get(task_id)
        if task is not None:
            self._bars.update(task)


class _Bars:
    def __init__(self, task: ProgramTask) -> None:
        self._task = task
        self._reports: dict[TaskID, ProgressReport] = {}
        self._ended: set[TaskID] = set()

    def update(self, bar: Task) -> None:
        with suppress(Exception):
            if bar.id in self._ended:
                return
            report = self._reports.get(bar.id)
            if report is None:
                report = self._reports[bar.id] = ProgressReport(self._task, _name(bar), bar.total)
            report.update(bar.completed, bar.total)
            if bar.finished:
                self.end(bar)

    def end(self, bar: Task) -> None:
        report = self._reports.pop(bar.id, None)
        if report is not None:
            self._ended.add(bar.id)
            report.update(bar.completed, bar.total)
            report.end()

    def end_all(self, error: BaseException | None) -> None:
        reports, self._reports = self._reports, {}
        for bar, report in reports.items():
            self._ended.add(bar)
            with suppress(Exception):
                report.end(error)


def _name(bar: Task) -> str:
    return Text.from_markup(bar.description).plain.strip() or "progress"
