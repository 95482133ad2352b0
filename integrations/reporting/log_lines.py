"""Lines of a program's log as events, which the integrations of all logging libraries share."""

from __future__ import annotations

import sys
import threading
import time

from signalbox.integrations.reporting.program import ProgramTask, program_task
from signalbox.integrations.reporting.snapshot import MAX_TEXT_CHARS, snapshot
from signalbox.integrations.reporting.target import target
from signalbox.integrations.reporting.writer_thread import delivering

TYPE_CHECKING = False  # from typing, which takes longer to import than this module
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None]

LINE_BYTES = 400
"""The estimated size of a line besides its message."""

OWN_LOGGER, OWN_THREADS = "signalbox", "signalbox-"
"""The logger of Signalbox itself, and the beginning of the names of its threads."""

_NOWHERE: dict[str, str | None] = {}

_LEVELS = {"WARNING": "warning", "INFO": "info", "ERROR": "error", "DEBUG": "debug", "CRITICAL": "critical"}


class LogLines:
    """Appends lines of a log to a task. The arguments are those of each integration: see `docs/integrations.md`."""

    def __init__(
        self,
        *,
        store: str | None = None,
        server: str | None = None,
        token: str | None = None,
        project: str | None = None,
        task: str | None = None,
        title: str | None = None,
    ) -> None:
        chosen = target(store, server=server, token=token, project=project)
        self.task: ProgramTask = program_task(chosen, task_id=task, title=title)

    def report(
        self,
        message: str,
        level: str,
        logger: str | None,
        fields: dict[str, Any] | None = None,
        *,
        error: type[BaseException] | None = None,
        at: float | None = None,
        thread: str | None = None,
    ) -> None:
        """Append a line. `message` has the traceback of `error`, if there is one; `at` is in seconds since 1970.

        `thread` is the name of the thread that wrote it, by default this one.

        Within a step that the program opened in this task, the line belongs to that step.
        """
        if _is_own(logger, thread):
            return
        payload: dict[str, Any] = {"message": message, "level": _LEVELS.get(level) or level.lower()}
        size = LINE_BYTES + len(message)
        if logger:
            payload["logger"] = logger
        if error is not None:
            payload["exception"] = error.__name__
        if fields:
            copied, more = snapshot(fields)
            size += more
            for name, value in copied.items():
                payload[f"{name}_" if name in payload or name == "stream" else name] = value
        if len(message) > MAX_TEXT_CHARS:
            payload["message"] = f"{message[:MAX_TEXT_CHARS]}…"
        self.task.append_line(payload, self._place(), time.time() if at is None else at, size)

    def wait(self, timeout: float = 5.0) -> bool:
        """Wait until all lines of now are stored, for at most `timeout` seconds. Returns whether they are."""
        return self.task.writer.flush(timeout)

    def _place(self) -> dict[str, str | None]:
        steps = sys.modules.get("signalbox.store.emitter.steps")
        # The thread may be loading the module just now.
        innermost = getattr(steps, "innermost", None)
        step = innermost.get() if innermost is not None else None
        if step is None or step.task_id != self.task.task_id:
            return _NOWHERE
        return {"span_id": step.span_id, "parent_span_id": step.parent_span_id, "phase": step.phase_name}


def _is_own(logger: str | None, thread: str | None) -> bool:
    """Whether a line is about the delivery of lines. Each such line would cause another one, without end."""
    if logger and logger.startswith(OWN_LOGGER) and logger[len(OWN_LOGGER) :][:1] in ("", "."):
        return True
    # The HTTP client and the driver of a database log too.
    name = threading.current_thread().name if thread is None else thread
    return name.startswith(OWN_THREADS) or (bool(delivering) and threading.get_ident() in delivering)


def with_traceback(message: str, info: ExceptionInfo) -> str:
    """Return a message with the traceback of an exception below it."""
    import traceback

    return f"{message}\n{''.join(traceback.format_exception(*info))}".rstrip("\n")
