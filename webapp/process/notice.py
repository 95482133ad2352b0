"""Messages for the person at the terminal, besides the output of a command."""

from __future__ import annotations

import sys
from contextlib import suppress


def notice(text: str) -> None:
    """Write one line to standard error. A closed standard error is no error."""
    with suppress(OSError):
        print(f"signalbox: {' '.join(text.split())}", file=sys.stderr, flush=True)
