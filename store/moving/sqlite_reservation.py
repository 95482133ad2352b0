"""The reservation of a SQLite file for one move: a lock on a file beside it, which only moves use."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from signalbox.store.moving.errors import MoveRefused


class Reservation:
    """Reserves the database at `path`. Raises MoveRefused if another move has reserved it.

    The lock ends with this process, also if it is killed.
    """

    def __init__(self, path: Path) -> None:
        self._lock_path = path.with_name(f"{path.name}-move.lock")
        self._lock = os.open(self._lock_path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A move that ended just now may have deleted the file.
            if os.fstat(self._lock).st_ino == self._lock_path.stat().st_ino:
                return
        except OSError:
            pass
        os.close(self._lock)
        raise MoveRefused(f"another `signalbox migrate-store` uses {path} now")

    def release(self) -> None:
        """Let other moves reserve the database."""
        self._lock_path.unlink(missing_ok=True)
        os.close(self._lock)
