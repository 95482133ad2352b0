"""Structured logs: text for a terminal, JSON for machines. Never a query string: it may hold a token."""

from __future__ import annotations

import asyncio
import atexit
import logging
import sys

import structlog

from signalbox.webapp.process.echo import Echo
from signalbox.webapp.settings import Settings

LAST_PATIENCE = 2.0
"""Seconds that a process which ends waits for the reader of its log."""


class Unhurried(logging.Handler):
    """Writes to standard error through a thread: whoever does not read the log does not stop the server."""

    def __init__(self) -> None:
        super().__init__()
        self._echo = Echo(2)
        atexit.register(lambda: asyncio.run(self._echo.finish(LAST_PATIENCE)))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._echo.write(f"{self.format(record)}\n".encode("utf-8", "replace"))
        except Exception:
            self.handleError(record)


def configure(settings: Settings) -> None:
    """Set up logging for this process, the web server's included. Logs go to standard error."""
    level = getattr(logging, settings.log_level.upper())
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    final: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = Unhurried()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, final],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "quart.app", "quart.serving"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
    logging.getLogger("uvicorn.error").setLevel(max(level, logging.WARNING))
    # The URLs that it would tell are those of agents, with their query strings.
    logging.getLogger("httpx").setLevel(max(level, logging.WARNING))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
