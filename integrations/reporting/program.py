"""The task to which a program reports: that of the `signalbox run` around it, else a new one for the program."""

from __future__ import annotations

import os
import sys
import threading
import time

from signalbox.integrations.reporting.background import BackgroundWriter, background_writer, before_exit
from signalbox.integrations.reporting.target import ReportTarget, current_task

TYPE_CHECKING = False  # from typing, which takes longer to import than this module
if TYPE_CHECKING:
    from typing import Any

HEARTBEAT_INTERVAL_S = 10.0
"""Seconds without an event after which a task of a program gets a heartbeat."""

MAX_TRACEBACK_CHARS = 16_000
"""Characters of a traceback to keep. The end is kept, because it names the error."""


class ProgramTask:
    """A task to which this process reports in the background.

    With `joins` and without `task_id` it is the task of the `signalbox run` around the program, if there is one. Else
    it is the program's own: it begins with the first event, and ends with the program: failed if an exception ends it,
    cancelled after Ctrl-C, else done. Without `opens` the program opens and ends the task in another way. A forked
    process reports to the task of its parent, and does not end it.
    """

    def __init__(
        self,
        target: ReportTarget,
        *,
        task_id: str | None = None,
        title: str | None = None,
        kind: str = "program",
        metadata: dict[str, Any] | None = None,
        joins: bool = True,
        opens: bool = True,
    ) -> None:
        self.writer: BackgroundWriter = background_writer(target)
        current = current_task(target) if joins and task_id is None else None
        self.is_own = current is None and opens
        self.task_id: str = current.task_id if current else task_id or new_task_id()
        self._identity: str | None = current.identity if current else None
        self._created: dict[str, Any] = {"title": title or program_name(), "kind": kind, "metadata": metadata}
        self._begun_in: int | None = None
        self._owner = 0
        self._lock = threading.RLock()
        self._ended = False

    def append(self, event_type: str, payload: dict[str, Any] | None = None, **fields: Any) -> None:
        """Append an event to the task. The parameters are those of `BackgroundWriter.append`."""
        if self._begun_in != self.writer.forks:
            self.begin()
        self.writer.append(self.task_id, event_type, payload, identity=self._identity, **fields)

    def append_line(self, payload: dict[str, Any], fields: dict[str, Any], at: float, size: int) -> None:
        """Append a `log` event. The parameters are those of `BackgroundWriter.append_line`."""
        if self._begun_in != self.writer.forks:
            self.begin()
        self.writer.append_line(self.task_id, self._identity, payload, fields, at, size)

    def begin(self) -> None:
        """Begin a task of its own, unless it has begun. The first event does this too."""
        with self._lock:
            is_first, self._begun_in = self._begun_in is None, self.writer.forks
            if not self.is_own or self._ended:
                return
            # A child creates the task too, because its event may be written before those of the parent.
            self.writer.create_task(self.task_id, **self._created)
            if is_first:
                self._owner = os.getpid()
                spawn = {**_facts(), "heartbeat_interval": HEARTBEAT_INTERVAL_S}
                self.writer.append(self.task_id, "runner_spawn", spawn)
                self.writer.keep_alive(self.task_id, HEARTBEAT_INTERVAL_S)
                before_exit(self._end_with_program)

    def end(self, payload: dict[str, Any] | None = None) -> None:
        """End a task of its own. `payload` is that of `runner_exit`. Does nothing in a forked process."""
        with self._lock:
            if not self.is_own or self._ended or self._owner != os.getpid():
                return
            self._ended = True
            self.writer.let_go(self.task_id)
            self.writer.append(self.task_id, "runner_exit", payload or {"status": "done"})

    def _end_with_program(self) -> None:
        self.end(_exit_of_program())


_tasks: dict[tuple[ReportTarget, str | None, str | None], ProgramTask] = {}


def program_task(target: ReportTarget, *, task_id: str | None = None, title: str | None = None) -> ProgramTask:
    """Return the task to which this program reports at `target`. All integrations of the program share it.

    With `task_id` it is the task with this id, which the program opens and ends in another way. With `title` it is a
    new task with this title.
    """
    key = (target, task_id, title)
    task = _tasks.get(key)
    if task is None:
        task = _tasks.setdefault(
            key, ProgramTask(target, task_id=task_id, title=title, joins=title is None, opens=task_id is None)
        )
    return task


def program_name() -> str:
    """Return the name of this program: `train.py`, or `package.module` after `python -m`."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name:
        return str(spec.name).removesuffix(".__main__")
    return os.path.basename(sys.argv[0] if sys.argv else "") or "python"


def new_task_id() -> str:
    """Return a new ULID, without the import of a library for it."""
    number = int(time.time() * 1000) << 80 | int.from_bytes(os.urandom(10), "big")
    return "".join("0123456789ABCDEFGHJKMNPQRSTVWXYZ"[number >> 5 * place & 31] for place in reversed(range(26)))


def _facts() -> dict[str, Any]:
    facts: dict[str, Any] = {"runner_pid": os.getpid(), "python": ".".join(map(str, sys.version_info[:3]))}
    if hasattr(os, "uname"):
        facts["host"] = os.uname().nodename
    return facts


def _exit_of_program() -> dict[str, Any]:
    error: BaseException | None = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    if error is None:
        return {"status": "done"}
    if isinstance(error, KeyboardInterrupt):
        return {"exit_code": 130, "status": "cancelled", "message": "cancelled"}
    return {"exit_code": 1, "status": "failed", **failure_of(error)}


def failure_of(error: BaseException) -> dict[str, str]:
    """Return the fields of an event that describe an exception: its type, its message and its traceback."""
    import traceback

    from signalbox.integrations.reporting.snapshot import text_of

    trace = "".join(traceback.format_exception(error))[-MAX_TRACEBACK_CHARS:]
    return {"error_code": type(error).__name__, "message": text_of(error) or type(error).__name__, "traceback": trace}
