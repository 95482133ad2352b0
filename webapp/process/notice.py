"""Words to the person at the terminal, apart from what a command prints."""

from __future__ import annotations

import sys
from contextlib import suppress


def notice(text: str) -> None:
    """One line on standard error; nobody there to read it is no error."""
    with suppress(OSError):
        print(f"signalbox: {' '.join(text.split())}", file=sys.stderr, flush=True)
