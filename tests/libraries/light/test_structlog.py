"""Test the processor of structlog in a usual configuration."""

from __future__ import annotations

from typing import Any

import structlog

from signalbox.integrations.structlog import SignalboxProcessor
from tests.support.reporting import events_in


async def test_a_configured_program_reports_and_still_renders(url: str, capsys: Any) -> None:
    processor = SignalboxProcessor(store=url, task="structured")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            processor,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(),
    )
    with structlog.contextvars.bound_contextvars(request="r-1"):
        structlog.get_logger().warning("slow", seconds=3)
    assert processor.wait()
    (event,) = await events_in(url, "structured")
    assert event.payload == {"message": "slow", "level": "warning", "request": "r-1", "seconds": 3}
    assert '"event": "slow"' in capsys.readouterr().out
