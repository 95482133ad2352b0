"""The footer of `signalbox tail` on a terminal: the unfinished line of the run."""

from __future__ import annotations

import asyncio
import shutil
from typing import TextIO

from signalbox.store import StoreError
from signalbox.store.log import Log, Remote, unfinished_of
from signalbox.store.state import Unfinished
from signalbox.webapp.drawing.words import safe

POLL_INTERVAL, REMOTE_POLL_INTERVAL = 0.3, 1.0
"""Seconds between two polls of a store, and of a server."""

ERASE = "\r\x1b[K"


class Footer:
    """One line at the end of the terminal. `print` writes a line of the log above it."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal
        self._drawn = ""

    def print(self, text: str) -> None:
        """Write a line of the log."""
        drawn = self._drawn
        self.draw("")
        self._terminal.write(f"{text}\n")
        self.draw(drawn)
        self._terminal.flush()

    def draw(self, text: str) -> None:
        """Replace the footer."""
        if text != self._drawn:
            self._terminal.write(f"{ERASE}{text}" if self._drawn else text)
            self._drawn = text

    async def follow(self, log: Log, task_id: str) -> None:
        """Keep the footer up to date with the task's unfinished lines, until cancelled."""
        while True:
            try:
                lines = await unfinished_of(log, task_id)
            except StoreError:
                lines = []
            self.draw(unfinished_line(lines))
            self._terminal.flush()
            await asyncio.sleep(REMOTE_POLL_INTERVAL if isinstance(log, Remote) else POLL_INTERVAL)


def unfinished_line(lines: list[Unfinished]) -> str:
    """Return the last unfinished line, cut to the width of the terminal."""
    rows = [row for one in lines for row in one.message.split("\n") if row]
    text = safe(rows[-1], colours=False) if rows else ""
    # Wide characters take two columns each, so half of them always fit.
    room = shutil.get_terminal_size().columns - 4
    return f"… {text[: room if text.isascii() else room // 2]}" if text else ""
