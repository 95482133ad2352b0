"""Temporary files of cold storage, and the removal of those that killed processes left."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "signalbox-cold-"

ABANDONED_SECONDS = 3600.0
"""Seconds after its last change from which a temporary file may be removed. A file is in use for seconds.

A folder may be in use for longer. It is locked meanwhile, and the lock ends with the process.
"""


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a new directory, which is deleted at the end of the block."""
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as path:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            with suppress(OSError):  # Where there are no locks, `remove_abandoned` removes no folders.
                _lock(descriptor)
            yield Path(path)
        finally:
            os.close(descriptor)


def temporary_file() -> tuple[int, Path]:
    """Create a file. Return its descriptor and its path, which the caller deletes within seconds."""
    descriptor, path = tempfile.mkstemp(prefix=_PREFIX)
    return descriptor, Path(path)


def remove_abandoned() -> None:
    """Remove the files and folders of this user that killed processes left. Raises nothing."""
    with suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX):
                with suppress(OSError):
                    _remove_if_abandoned(entry)


def _remove_if_abandoned(entry: os.DirEntry[str]) -> None:
    """Remove a file or folder that is old enough. Raises OSError if another process holds the lock."""
    found = entry.stat(follow_symlinks=False)
    if found.st_uid != os.getuid() or time.time() - found.st_mtime < ABANDONED_SECONDS:
        return
    if not entry.is_dir(follow_symlinks=False):
        os.unlink(entry.path)
        return
    descriptor = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        _lock(descriptor)
        shutil.rmtree(entry.path)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
