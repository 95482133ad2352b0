"""The progress of a loop as a work item, at most four events a second. Progress bars of all libraries share this."""

from __future__ import annotations

import os
import time
from typing import Any

from signalbox.integrations.reporting.program import ProgramTask
from signalbox.integrations.reporting.snapshot import text_of

INTERVAL_S = 0.25
"""Seconds between two events of a bar. The outermost bar sends two at a time, so it takes twice as long."""

_outermost: dict[ProgramTask, ProgressReport] = {}


class ProgressReport:
    """Reports one bar to `task` as a work item with this `name`. `total` is None if it is not known.

    The outermost bar of a program is also the progress of the task.
    """

    def __init__(self, task: ProgramTask, name: str, total: float | None) -> None:
        self._task, self._name = task, name or "progress"
        self._span = {"span_id": os.urandom(8).hex(), "actor": "worker"}
        self._item = {"work_item_id": self._name, "work_type": "progress"}
        self._is_outermost = _outermost.setdefault(task, self) is self
        self._next = 0.0
        self._state: tuple[float, float | None, str] = (0, total, "")
        self._sent: tuple[float, float | None, str] | None = None
        self._ended = False
        task.append("work_item_start", self._item, **self._span)

    def update(self, current: float, total: float | None, message: str = "") -> None:
        """Report the state of the bar, unless the last report is too recent. The end always sends the last state."""
        self._state = (current, total, message)
        now = time.monotonic()
        if now >= self._next and not self._ended:
            self._next = now + INTERVAL_S * (2 if self._is_outermost else 1)
            self._send()

    def end(self, error: BaseException | None = None) -> None:
        """Report the last state and the end of the bar, failed with `error` if there is one."""
        if self._ended:
            return
        self._ended = True
        self._send()
        if self._is_outermost and _outermost.get(self._task) is self:
            del _outermost[self._task]
        if error is None:
            self._task.append("work_item_complete", self._item, **self._span)
        else:
            payload = {
                **self._item,
                "error_code": type(error).__name__,
                "message": text_of(error) or type(error).__name__,
            }
            self._task.append("work_item_failed", payload, **self._span)

    def _send(self) -> None:
        if self._state == self._sent:
            return
        self._sent = self._state
        current, total, message = self._state
        progress: dict[str, float] = {"current": current}
        if total:
            progress |= {"total": total, "percentage": round(100 * current / total, 1)}
        payload: dict[str, Any] = {"progress": progress, **({"message": message} if message else {})}
        self._task.append("work_item_progress", {**self._item, **payload}, **self._span)
        if self._is_outermost:
            self._task.append("progress_update", payload)
