"""A handler for the standard `logging`, which reports each record as a line of a task.

import logging
from signalbox.integrations.logging import SignalboxHandler

logging.basicConfig(level=logging.INFO, handlers=[logging.StreamHandler(), SignalboxHandler()])

Importing this module loads nothing else. The handler loads the background writer, and its thread loads the store.
"""

from __future__ import annotations

import logging

_ORDINARY = len(vars(logging.makeLogRecord({})))
"""Attributes of a record before a formatter or `extra` adds others."""

_STANDARD = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"})
"""Attributes that every record may have. The others come from `extra`."""

_MESSAGE = logging.Formatter()


class SignalboxHandler(logging.Handler):
    """Appends records to the task of `signalbox run`, or to a new task that is named after the program.

    The keywords are `store`, `server`, `token`, `project`, `task` and `title`: see `docs/integrations.md`. Each record
    becomes a `log` event with its level, its logger, the fields of `extra`, and its exception with the traceback. A
    formatter changes the message only.

    `emit` never blocks and never raises. A full queue drops its oldest records, and the log says how many.
    """

    def __init__(self, level: int | str = logging.NOTSET, **where: str | None) -> None:
        super().__init__(level)
        # Otherwise `logging.basicConfig` would set one that repeats the level and the logger in each message.
        self.formatter = _MESSAGE
        from signalbox.integrations.reporting.log_lines import LogLines

        self._lines = LogLines(**where)
        self.task = self._lines.task

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record."""
        try:
            attributes, extra, error = record.__dict__, None, None
            if len(attributes) > _ORDINARY:
                extra = {name: attributes[name] for name in attributes.keys() - _STANDARD}
            if record.exc_info:
                error = record.exc_info[0]
            message = record.getMessage() if self._is_plain(record) else self.format(record)
            report = self._lines.report
            name, at, thread = record.name, record.created, record.threadName
            report(message, record.levelname, name, extra, error=error, at=at, thread=thread)
        except Exception:
            self.handleError(record)

    def _is_plain(self, record: logging.LogRecord) -> bool:
        return self.formatter is _MESSAGE and not (record.exc_info or record.exc_text or record.stack_info)

    def wait(self, timeout: float = 5.0) -> bool:
        """Wait until all records of now are stored, for at most `timeout` seconds. Returns whether they are."""
        return self._lines.wait(timeout)
