"""The work that SQLite does, counted instead of timed, for tests that nothing grows with the size of a task."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

UNIT = 200
"""Instructions of SQLite's virtual machine that are counted as one."""


class Work:
    """Counts the instructions of all connections that are opened while it is installed."""

    def __init__(self) -> None:
        self.units = 0

    @classmethod
    @contextmanager
    def counted(cls) -> Iterator[Work]:
        """Count the work of connections that are opened in this context."""
        work, connect = cls(), sqlite3.connect

        def counting(*args: Any, **options: Any) -> sqlite3.Connection:
            connection = connect(*args, **options)
            connection.set_progress_handler(work._count, UNIT)
            return connection

        with mock.patch.object(sqlite3, "connect", counting):
            yield work

    def _count(self) -> int:
        self.units += 1
        return 0

    @contextmanager
    def since(self, found: list[int]) -> Iterator[None]:
        """Add the units of work that are done in this context to `found`."""
        before = self.units
        yield
        found.append(self.units - before)
