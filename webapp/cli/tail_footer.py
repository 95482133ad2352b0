"""The unfinished line of a run, below the log that `signalbox tail` prints on a terminal."""

from __future__ import annotations

import asyncio
import shutil
from typing import TextIO

from signalbox.store import StoreError
from signalbox.store.contract import Store
from signalbox.store.log import Log, unfinished_of
from signalbox.store.state import Unfinished
from signalbox.webapp.drawing.words import safe

PAUSE, REMOTE_PAUSE = 0.3, 1.0
"""Seconds between two looks at a store, and at a server."""

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
        """Replace what stands there."""
        if text != self._drawn:
            self._terminal.write(f"{ERASE}{text}" if self._drawn else text)
            self._drawn = text

    async def follow(self, log: Log, task_id: str) -> None:
        """Show what the task has, until this is cancelled."""
        while True:
            try:
                lines = await unfinished_of(log, task_id)
            except StoreError:
                lines = []
            self.draw(unfinished_line(lines))
            self._terminal.flush()
            await asyncio.sleep(PAUSE if isinstance(log, Store) else REMOTE_PAUSE)


def unfinished_line(lines: list[Unfinished]) -> str:
    """The last line of what is unfinished, as wide as the terminal."""
    rows = [row for one in lines for row in one.message.split("\n") if row]
    text = safe(rows[-1], colours=False) if rows else ""
    # Wide characters take two columns each, so half of them always fit.
    room = shutil.get_terminal_size().columns - 4
    return f"… {text[: room if text.isascii() else room // 2]}" if text else ""
