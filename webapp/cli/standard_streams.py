"""Prepares the standard streams for every command: open, and able to print any character."""

from __future__ import annotations

import os
import sys


def open_standard_streams() -> None:
    """Open /dev/null for each standard stream that is closed, so that no other file gets its descriptor."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


def replace_unencodable_characters() -> None:
    """Print `?` for each character that the encoding of a standard stream lacks."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
