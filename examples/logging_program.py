"""A program that reports its log, its progress and its end: `python examples/logging_program.py`.

It reports to the task of `signalbox run`, if it runs below it, else to a new task in `signalbox.db`; with
SIGNALBOX_SERVER to a server.
"""

from __future__ import annotations

import logging
import time

from signalbox.integrations.logging import SignalboxHandler

log = logging.getLogger("backup")


def copy(volume: str) -> None:
    log.info("copying %s", volume, extra={"volume": volume})
    time.sleep(0.2)
    if volume == "mail":
        raise OSError("no space left on the backup disk")


def main() -> None:
    logging.basicConfig(level=logging.INFO, handlers=[logging.StreamHandler(), SignalboxHandler()])
    for volume in ("home", "mail", "photos"):
        try:
            copy(volume)
        except OSError:
            log.exception("cannot copy %s", volume)
    log.warning("2 of 3 volumes copied")


if __name__ == "__main__":
    main()
