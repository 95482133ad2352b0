"""The calls by which the writes of a store use its cold files."""

from __future__ import annotations

from typing import Protocol

from signalbox.store.errors import StoreUnavailable
from signalbox.store.sql.cold_tasks.stages import StoredFile


class ColdFiles(Protocol):
    """The cold files of a store. `store.cold.moves` implements it."""

    async def abring_back(self, task_id: str, *, blocks: bool) -> None:
        """Restore a task for a writer that waits. With `blocks` there is no event loop.

        Raises StoreUnavailable if this takes too long, and StoreDamaged if the file is missing or damaged.
        """

    def delete_file(self, file: StoredFile) -> None:
        """Delete the file of a task that was deleted. Blocks. Raises nothing."""


class NoColdFiles(ColdFiles):
    """The cold files of a store that was not opened with `open_store`."""

    async def abring_back(self, task_id: str, *, blocks: bool) -> None:
        raise StoreUnavailable(f"the task {task_id!r} is in cold storage; open the store with open_store")

    def delete_file(self, file: StoredFile) -> None:
        """Leave the file, which `afinish` deletes later."""
