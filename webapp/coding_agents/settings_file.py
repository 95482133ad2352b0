"""A settings file that is changed and restored: atomically, with its mode and its links, and with a backup."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

BACKUP = ".signalbox-backup"
NEW_FILE = ".new"
"""Ends the name of the backup of a file that did not exist."""


class SettingsFile:
    """The settings file at `path`, which may be a link to a file elsewhere.

    The backup lies beside it. Its name has a digest of what was written, so that it is known whether the file was
    changed since.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._real = Path(os.path.realpath(path))

    def read(self) -> bytes | None:
        """Return the content, or None if there is no file. Raises OSError."""
        try:
            return self._real.read_bytes()
        except FileNotFoundError:
            return None

    def write(self, content: bytes, backup: bytes | None) -> Path:
        """Replace the content, and keep `backup` (None: no file) for `restore`. Returns the path of the backup."""
        self._real.parent.mkdir(parents=True, exist_ok=True)
        kept = self._backup_path(content, new=backup is None)
        self._replace(kept, backup or b"")
        self._replace(self._real, content)
        # Only now: if a disk is full, the earlier backup still belongs to what is in the file.
        self._remove_backups(kept)
        return kept

    def original(self, content: bytes | None) -> tuple[bytes | None] | None:
        """Return what the file was before Signalbox wrote `content`; None if it was changed since."""
        if content is None:
            return None
        if (kept := self._backup_path(content, new=False)).exists():
            return (kept.read_bytes(),)
        return (None,) if self._backup_path(content, new=True).exists() else None

    def restore(self, content: bytes | None) -> None:
        """Replace the content, or delete the file if `content` is None, and remove the backup."""
        if content is None:
            with suppress(FileNotFoundError):
                self._real.unlink()
        else:
            self._replace(self._real, content)
        self._remove_backups()

    def _backup_path(self, content: bytes, *, new: bool) -> Path:
        digest = hashlib.sha256(content).hexdigest()[:16]
        return self._real.with_name(f"{self._real.name}{BACKUP}-{digest}{NEW_FILE if new else ''}")

    def _remove_backups(self, but: Path | None = None) -> None:
        for kept in self._real.parent.glob(f"{self._real.name}{BACKUP}-*"):
            if kept != but:
                with suppress(FileNotFoundError):
                    kept.unlink()

    def _replace(self, target: Path, content: bytes) -> None:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                self._copy_owner(file.fileno())
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, target)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(name)
            raise

    def _copy_owner(self, handle: int) -> None:
        """Give a new file the mode and the owner of the settings file; a new one is for its owner only."""
        with suppress(FileNotFoundError):
            before = self._real.stat()
            with suppress(PermissionError):
                os.fchown(handle, before.st_uid, before.st_gid)
            os.fchmod(handle, before.st_mode & 0o7777)
