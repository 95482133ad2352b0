"""Free pages of the file, which are returned to the file system in small steps."""

from __future__ import annotations

import time

from signalbox.store.sql.database import Database

INCREMENTAL = 2
"""The value of `PRAGMA auto_vacuum` in a file whose free pages can be returned step by step."""

KEPT_PAGES = 256
"""Free pages that stay in the file, because the next events need them."""

PAGES_PER_STEP = 64
"""The most pages that one transaction returns. It moves as many pages from the end of the file into free ones."""

STEP_SECONDS = 0.006
"""Seconds after which a transaction ends. A page takes longer if many others are free."""


def return_pages(db: Database) -> bool:
    """Return some free pages to the file system. Return whether more can be returned."""
    sql = "SELECT freelist_count, auto_vacuum FROM pragma_freelist_count, pragma_auto_vacuum"
    free, mode = db.execute(sql).fetchone()
    if mode != INCREMENTAL or free <= KEPT_PAGES:
        return False
    until = time.monotonic() + STEP_SECONDS
    for _ in range(min(PAGES_PER_STEP, free - KEPT_PAGES)):
        # The statement has no columns, so Python's module steps it only once, which returns one page.
        db.execute("PRAGMA incremental_vacuum(1)")
        free -= 1
        if time.monotonic() >= until:
            break
    return bool(free > KEPT_PAGES)
