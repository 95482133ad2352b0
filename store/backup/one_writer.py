"""Lets one process at a time write a backup file, so that the next one can remove what a killed one has left."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from signalbox.store.backup.errors import BackupRefused

_ENDING = r"\.[0-9A-Z]{26}\.unfinished(?:-journal|-wal|-shm)?"


@contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Be the only process that writes the file at `path`, and remove unfinished files of others that were killed.

    Raises BackupRefused if another process writes it now, and OSError.
    """
    if not path.name:
        raise BackupRefused(f"{path} is a directory")
    # The lock is a file of its own: closing a second descriptor of a database would drop the locks of SQLite.
    lock = path.with_name(f".{path.name}.unfinished-lock")
    descriptor = _locked(lock, path)
    try:
        unfinished = re.compile(re.escape(f".{path.name}") + _ENDING)
        for name in os.listdir(path.parent):
            if unfinished.fullmatch(name):
                path.with_name(name).unlink(missing_ok=True)
        yield
    finally:
        with suppress(OSError):
            lock.unlink()
        os.close(descriptor)


def _locked(lock: Path, path: Path) -> int:
    while True:
        descriptor = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The process that had it before may have removed it in between.
            if lock.exists() and os.path.samestat(os.fstat(descriptor), lock.stat()):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise BackupRefused(f"another process writes {path} now") from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
