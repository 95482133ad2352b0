"""A sink for loguru, which reports each message as a line of a task.

from loguru import logger
from signalbox.integrations.loguru import SignalboxSink

logger.add(SignalboxSink(), level="INFO")
"""

from __future__ import annotations

from typing import Any

from signalbox.integrations.reporting.log_lines import LogLines, with_traceback

_LEVELS = {"TRACE": "debug", "SUCCESS": "info"}


class SignalboxSink:
    """Appends messages to the task of `signalbox run`, or to a new task that is named after the program.

    The keywords are `store`, `server`, `token`, `project`, `task` and `title`: see `docs/integrations.md`. Each message
    becomes a `log` event with its level, its module, the values of `extra`, and its exception with the traceback. The
    `format` of `logger.add` does not matter. The sink never blocks and never raises.
    """

    def __init__(self, **where: str | None) -> None:
        self._lines = LogLines(**where)
        self.task = self._lines.task

    def __call__(self, message: Any) -> None:
        """Queue a message."""
        record = message.record
        text, error = record["message"], record["exception"]
        if error is not None and error.type is not None:
            text = with_traceback(text, error)
        level = record["level"].name
        self._lines.report(
            text,
            _LEVELS.get(level, level),
            record["name"],
            record["extra"],
            error=error.type if error is not None else None,
            at=record["time"].timestamp(),
        )

    def wait(self, timeout: float = 5.0) -> bool:
        """Wait until all messages of now are stored, for at most `timeout` seconds. Returns whether they are."""
        return self._lines.wait(timeout)
