"""The folder of a spool, and the settings of all spools: `SIGNALBOX_SPOOL_DIR` and `SIGNALBOX_SPOOL_BYTES`."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from signalbox.store.errors import InvalidEvent
from signalbox.store.spool.hook_calls import INBOX, TAKEN

FOLDER_VARIABLE, BYTES_VARIABLE = "SIGNALBOX_SPOOL_DIR", "SIGNALBOX_SPOOL_BYTES"

MAX_BYTES = 128 * 1024 * 1024
"""The default bound of one spool, in bytes of events."""

FILE_NAME = "spool.db"


def max_bytes() -> int:
    """Return the bound of one spool in bytes; 0 means that there is no spool. Raises InvalidEvent for a bad value."""
    text = os.environ.get(BYTES_VARIABLE, "").strip()
    if not text:
        return MAX_BYTES
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise InvalidEvent(
            f"{BYTES_VARIABLE} must be a number of bytes, such as {MAX_BYTES}, or 0 for no spool", "spool"
        )
    return int(text)


def root_folder() -> Path:
    """Return the folder of all spools: `SIGNALBOX_SPOOL_DIR`, else one below `XDG_STATE_HOME`.

    Raises RuntimeError if there is no home directory.
    """
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named).absolute()
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state"
    return base / "signalbox" / "spool"


def folder_for(url: str, token: str | None) -> Path:
    """Return the folder of the spool for a server and a token. Its name has neither a password nor the token."""
    host = re.sub(r"[^A-Za-z0-9.-]+", "_", url.partition("://")[2].rpartition("@")[2])[:60].strip("_.")
    digest = hashlib.sha256(f"{url}\n{token or ''}".encode()).hexdigest()[:16]
    return root_folder() / f"{host}-{digest}"


def spool_files() -> Iterator[Path]:
    """Yield the files of all spools of this user, also those that cannot be read.

    Raises OSError if the folder of all spools cannot be read.
    """
    try:
        folders = sorted(root_folder().iterdir())
    except (FileNotFoundError, RuntimeError):
        return
    for folder in folders:
        try:
            names = set(os.listdir(folder))
        except NotADirectoryError:
            continue
        except OSError:
            names = {FILE_NAME}
        if names & {FILE_NAME, INBOX, TAKEN}:
            yield folder / FILE_NAME
