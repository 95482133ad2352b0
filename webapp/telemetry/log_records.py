"""The server's log as log records of OpenTelemetry."""

from __future__ import annotations

import logging
import traceback
from typing import Any

from opentelemetry._logs import Logger, LogRecord, SeverityNumber
from opentelemetry.context import get_current

_SEVERITIES = (
    (logging.CRITICAL, SeverityNumber.FATAL),
    (logging.ERROR, SeverityNumber.ERROR),
    (logging.WARNING, SeverityNumber.WARN),
    (logging.INFO, SeverityNumber.INFO),
    (logging.DEBUG, SeverityNumber.DEBUG),
)
MAX_VALUE_CHARS = 2000


class OtlpLogHandler(logging.Handler):
    """Gives the records of this process to a logger of OpenTelemetry, except for those of its own SDK."""

    def __init__(self, logger: Logger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Emit a record. Never raises."""
        if record.name.startswith("opentelemetry"):
            return
        try:
            message, fields = _said(record)
            self._logger.emit(
                LogRecord(
                    timestamp=int(record.created * 1e9),
                    context=get_current(),
                    severity_text=record.levelname,
                    severity_number=next((found for level, found in _SEVERITIES if record.levelno >= level), None),
                    body=message,
                    attributes={"logger": record.name, **fields, **_exception(record)},
                )
            )
        except Exception:
            self.handleError(record)


def _said(record: logging.LogRecord) -> tuple[str, dict[str, Any]]:
    """Return the message and the fields of a record, which may be one of structlog."""
    if not isinstance(record.msg, dict):
        return record.getMessage(), {}
    fields = {name: value for name, value in record.msg.items() if not name.startswith("_")}
    message = str(fields.pop("event", ""))
    for name in ("level", "logger", "timestamp"):
        fields.pop(name, None)
    return message, {name: _value(value) for name, value in fields.items()}


def _exception(record: logging.LogRecord) -> dict[str, str]:
    kind, error, _ = record.exc_info if isinstance(record.exc_info, tuple) else (None, None, None)
    if kind is None or error is None:
        return {}
    trace = "".join(traceback.format_exception(error))
    return {
        "exception.type": kind.__qualname__,
        "exception.message": str(error)[:MAX_VALUE_CHARS],
        "exception.stacktrace": trace[-8 * MAX_VALUE_CHARS :],
    }


def _value(value: Any) -> Any:
    return value if isinstance(value, bool | int | float) else str(value)[:MAX_VALUE_CHARS]
