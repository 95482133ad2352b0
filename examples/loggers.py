"""structlog and loguru report, too: `python examples/loggers.py`, with loguru installed."""

from __future__ import annotations

import structlog
from loguru import logger

from signalbox.integrations.loguru import SignalboxSink
from signalbox.integrations.structlog import SignalboxProcessor


def main() -> None:
    structlog.configure(
        processors=[structlog.stdlib.add_log_level, SignalboxProcessor(), structlog.dev.ConsoleRenderer()]
    )
    structlog.get_logger().info("copied", volume="home", done=1, total=3)
    logger.add(SignalboxSink(), level="INFO")
    logger.bind(volume="mail").warning("slow: {} MB/s", 3)


if __name__ == "__main__":
    main()
