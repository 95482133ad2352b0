"""A processor for structlog, which reports each event as a line of a task and passes it on unchanged.

import structlog
from signalbox.integrations.structlog import SignalboxProcessor

structlog.configure(processors=[structlog.stdlib.add_log_level, SignalboxProcessor(), structlog.dev.ConsoleRenderer()])
"""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

from signalbox.integrations.reporting.log_lines import LogLines, with_traceback

_OWN = frozenset({"event", "level", "logger", "timestamp", "exc_info", "exception", "stack_info", "stack"})
"""Keys that have a place of their own in the event."""

E = MutableMapping[str, Any]


class SignalboxProcessor:
    """Appends events to the task of `signalbox run`, or to a new task that is named after the program.

    It belongs before the renderer, and works before or after `format_exc_info`. The keywords are `store`, `server`,
    `token`, `project`, `task` and `title`: see `docs/integrations.md`. It never blocks and never raises.
    """

    def __init__(self, **where: str | None) -> None:
        self._lines = LogLines(**where)
        self.task = self._lines.task

    def __call__(self, logger: Any, method_name: str, event_dict: E) -> E:
        """Queue an event, and return it unchanged."""
        with suppress(Exception):
            self._report(logger, method_name, event_dict)
        return event_dict

    def wait(self, timeout: float = 5.0) -> bool:
        """Wait until all events of now are stored, for at most `timeout` seconds. Returns whether they are."""
        return self._lines.wait(timeout)

    def _report(self, logger: Any, method_name: str, event: E) -> None:
        message, error = str(event.get("event", "")), None
        info = _exception_info(event.get("exc_info"))
        if info is not None:
            message, error = with_traceback(message, info), info[0]
        elif isinstance(event.get("exception"), str):
            message = f"{message}\n{event['exception']}"
        if stack := event.get("stack"):
            message = f"{message}\n{stack}"
        name = event.get("logger") or getattr(logger, "name", None)
        level = event.get("level") or {"warn": "warning", "exception": "error"}.get(method_name, method_name)
        fields = {key: value for key, value in event.items() if key not in _OWN}
        self._lines.report(message, str(level), name if isinstance(name, str) else None, fields, error=error)


def _exception_info(given: object) -> Any:
    if isinstance(given, BaseException):
        return type(given), given, given.__traceback__
    if isinstance(given, tuple):
        return given if given[0] is not None else None
    found = sys.exc_info() if given else None
    return found if found and found[0] is not None else None
