"""Backups of a whole store: `signalbox backup create` and `restore`.

A backup of either kind of store is one SQLite file that is complete by itself, so it can be restored into either kind.
It has the state of one moment, although programs write meanwhile. A restored store has a new epoch, so that every page
and stream with a position in the log of before starts over.
"""

from __future__ import annotations

from signalbox.store.backup.create import create_backup
from signalbox.store.backup.errors import BackupRefused, DamagedBackup
from signalbox.store.backup.file import BackupContent
from signalbox.store.backup.restore import Restored, restore_backup

__all__ = ["BackupContent", "BackupRefused", "DamagedBackup", "Restored", "create_backup", "restore_backup"]
