"""A database whose logs are verified. Each kind of database implements it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

from signalbox.store.chain.verification import Entry
from signalbox.store.cold.places import ReadablePlace


class LogSource(Protocol):
    """`key` is the store's own key, None if the database has none. `linked` says whether its schema has links,
    `has_cold` whether it can have tasks in cold storage. `cold_storage` is the place of cold files without a place.
    `cold_files` has the files themselves, if the database is a backup with them.
    """

    key: bytes | None
    linked: bool
    has_cold: bool
    cold_storage: str | None
    cold_files: ReadablePlace | None

    def query(self, sql: str, values: tuple[object, ...], /) -> Iterable[Any]:
        """Run a query with its values, which are marked by `?`, and return its rows."""

    def snapshot(self) -> AbstractContextManager[None]:
        """Make all queries of the block see one state of the database."""

    def entries(self, task_id: str) -> Iterator[Entry]:
        """Yield the events of a task by seq, with their links."""
