"""Prints messages for the person at the terminal, in addition to the output of a command."""

from __future__ import annotations

import sys
from contextlib import suppress


def notice(text: str) -> None:
    """Write one line to standard error. Does nothing if standard error is closed."""
    with suppress(OSError):
        print(f"signalbox: {' '.join(text.split())}", file=sys.stderr, flush=True)
