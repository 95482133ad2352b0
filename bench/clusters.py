"""A PostgreSQL server for a scenario. It writes to its disk before it answers a commit."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bench.supported import has
from signalbox.store import UnknownStoreKind, open_store

if TYPE_CHECKING:
    from tests.support.postgres import Cluster

DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "shared_buffers": "128MB"}


@contextlib.contextmanager
def temporary_cluster(**settings: str) -> Iterator[Cluster | None]:
    """Start a server with `DURABLE` and these settings of PostgreSQL, and stop it afterwards.

    Yield None if there is no PostgreSQL, or in an older version of Signalbox that has no such store.
    """
    if not has("tests.support.postgres"):
        yield None
        return
    from tests.support import postgres

    if postgres.programs() is None:
        yield None
        return
    folder = Path(tempfile.gettempdir(), f"signalbox-bench-postgresql-{os.getpid()}")
    cluster = postgres.Cluster(folder, **DURABLE | settings)
    try:
        cluster.start()
        yield cluster if _is_supported(cluster) else None
    finally:
        cluster.close()


def _is_supported(cluster: Cluster) -> bool:
    try:
        open_store(cluster.create_database()).close()
    except UnknownStoreKind:
        return False
    return True
