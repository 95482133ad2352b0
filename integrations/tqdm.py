"""A subclass of tqdm, which also reports its progress: change only the import.

from signalbox.integrations.tqdm import tqdm

for row in tqdm(rows, desc="copying"):
    …
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

from tqdm import tqdm as _Tqdm

from signalbox.integrations.reporting.log_lines import LogLines
from signalbox.integrations.reporting.progress import ProgressReport

_WHERE = ("store", "server", "token", "project", "task", "title")


class tqdm(_Tqdm):
    """Reports to the task of `signalbox run`, or to a new task that is named after the program.

    A bar is a work item, with at most four events a second and always its last state. The keywords `store`, `server`,
    `token`, `project`, `task` and `title` say where: see `docs/integrations.md`. With `disable=True` nothing is
    reported; with `disable=None`, which hides the bar without a terminal, it is reported all the same.
    """

    _report: ProgressReport | None = None
    _is_block = False

    def __init__(self, *args: Any, **options: Any) -> None:
        where = {name: options.pop(name) for name in _WHERE if name in options}
        if options.get("disable", False) is None:
            shown = getattr(options.get("file") or sys.stderr, "isatty", lambda: False)()
            options["disable"] = False
            if not shown:
                options["file"] = _Nowhere()
        super().__init__(*args, **options)
        if not self.disable:
            with suppress(Exception):
                task = LogLines(**where).task
                self._report = ProgressReport(task, str(self.desc or "").removesuffix(": ") or "progress", self.total)
                self._update()

    def display(self, *args: Any, **options: Any) -> Any:
        """Show the bar, and report its state."""
        self._update()
        return super().display(*args, **options)

    def close(self) -> None:
        """Close the bar, and report its last state."""
        kind, error, _ = sys.exc_info()
        self._update()
        # A loop that is left early closes its iterator first; then `__exit__` knows whether an error ended it.
        if not (self._is_block and kind is GeneratorExit):
            self._end(error if self._is_block else None)
        super().close()

    def __enter__(self) -> tqdm:
        self._is_block = True
        super().__enter__()
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> Any:
        self._update()
        self._end(error)
        return super().__exit__(kind, error, trace)

    def _end(self, error: BaseException | None) -> None:
        report, self._report = self._report, None
        if report is not None:
            with suppress(Exception):
                report.end(error)

    def _update(self) -> None:
        if self._report is not None:
            with suppress(Exception):
                self._report.update(self.n, self.total)


def trange(*args: int, **options: Any) -> tqdm:
    """Return `tqdm(range(*args), **options)`."""
    return tqdm(range(*args), **options)


class _Nowhere:
    """A file for a bar that nobody sees."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False
