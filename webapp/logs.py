"""Structured logs: text for a terminal, JSON for machines. Query strings are not logged, as they may hold a token."""

from __future__ import annotations

import asyncio
import atexit
import logging
import sys

import structlog

from signalbox.webapp.process.echo import Echo
from signalbox.webapp.settings import Settings

EXIT_TIMEOUT_S = 2.0
"""Seconds that an exiting process waits for the reader of its log."""


class BackgroundHandler(logging.Handler):
    """Writes to standard error from a thread, so that an unread pipe does not block the server."""

    def __init__(self) -> None:
        super().__init__()
        self._echo = Echo(2)
        atexit.register(lambda: asyncio.run(self._echo.finish(EXIT_TIMEOUT_S)))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._echo.write(f"{self.format(record)}\n".encode("utf-8", "replace"))
        except Exception:
            self.handleError(record)


def configure(settings: Settings, worker: int = 0) -> None:
    """Set up logging to standard error for this process, including the loggers of uvicorn and Quart.

    If `worker` is not 0, each line has this number of the worker.
    """

    def add_worker(logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event.setdefault("worker", worker)
        return event

    level = getattr(logging, settings.log_level.upper())
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        *([add_worker] if worker else []),
    ]
    final: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = BackgroundHandler()
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
    # At level INFO httpx logs the URLs of agents with their query strings, and mcp each request that it refuses.
    for name in ("httpx", "mcp"):
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
