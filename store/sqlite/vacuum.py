"""Conversion of a file so that it returns free pages to the file system, which also rewrites it without them."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from signalbox.store.errors import StoreFull, StoreUnavailable
from signalbox.store.sqlite.connection import is_busy, refuse_moved_file, translated_errors
from signalbox.store.sqlite.file_uri import uri
from signalbox.store.sqlite.free_pages import INCREMENTAL

BYTES_PER_SECOND = 60_000_000
"""A pace that most machines reach, for the estimate of the time."""

LOCK_SECONDS = 30.0


class VacuumPlan(NamedTuple):
    """The size of a file in bytes, its free pages, the free bytes of its disk, and whether it is converted already.

    The conversion needs `needed` bytes on the disk for a while, and writers wait for about `seconds`.
    """

    bytes: int
    free: int
    disk_free: int
    converted: bool

    @property
    def needed(self) -> int:
        """The bytes that the conversion needs: a copy of the content, and its write-ahead log."""
        return 2 * (self.bytes - self.free)

    @property
    def seconds(self) -> float:
        """About how many seconds writers wait."""
        return (self.bytes - self.free) / BYTES_PER_SECOND


def plan_of(path: Path) -> VacuumPlan:
    """Return what a conversion of the file would need. Raises StoreUnavailable and StoreMoved."""
    with closing(sqlite3.connect(uri(path, read_only=True), uri=True)) as db, translated_errors():
        refuse_moved_file(db)
        pages, size, free, mode = (
            db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "page_size", "freelist_count", "auto_vacuum")
        )
    return VacuumPlan(pages * size, free * size, shutil.disk_usage(path.absolute().parent).free, mode == INCREMENTAL)


def vacuum(path: Path, *, wait: Callable[[float], None] = time.sleep) -> VacuumPlan:
    """Convert and rewrite the file, and return its new plan. Programs may use it, but their writes wait meanwhile.

    Raises StoreFull if the disk has too little room, StoreUnavailable if the file is locked for too long, and
    StoreMoved.
    """
    plan = plan_of(path)
    if plan.needed > plan.disk_free:
        raise StoreFull(f"the conversion needs {plan.needed:,} bytes for a while, and the disk has {plan.disk_free:,}")
    until = time.monotonic() + LOCK_SECONDS
    with closing(sqlite3.connect(uri(path), uri=True, timeout=1.0, isolation_level=None)) as db:
        while True:
            try:
                with translated_errors():
                    db.execute(f"PRAGMA auto_vacuum = {INCREMENTAL}")
                    db.execute("VACUUM")
                    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                return plan_of(path)
            except StoreUnavailable as error:
                if not is_busy(error) or time.monotonic() >= until:
                    raise
            wait(0.1)
