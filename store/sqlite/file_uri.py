"""The URI by which SQLite opens a file."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote


def uri(path: Path, *, read_only: bool = False, make: bool = True) -> str:
    """Return the SQLite URI of a file. Without `make` SQLite does not create the file."""
    mode = "?mode=ro" if read_only else "" if make else "?mode=rw"
    return f"file:{quote(os.fsencode(path))}{mode}"
