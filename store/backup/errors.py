"""The errors of backups. After each of them everything is as before."""

from __future__ import annotations

from collections.abc import Sequence

from signalbox.store.errors import StoreDamaged, StoreError
from signalbox.store.moving.errors import listed


class BackupRefused(StoreError):
    """The backup cannot be made or restored: the message says why, and what to do."""


class DamagedBackup(StoreDamaged):
    """The file is not a complete store. `faults` says what was found."""

    def __init__(self, name: str, faults: Sequence[str]) -> None:
        super().__init__(f"{name} is not a backup that can be restored: {listed(faults)}")
        self.faults = tuple(faults)
