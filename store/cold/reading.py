"""Reading tasks in cold storage in place, for a store."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from signalbox.store.cold.found_damage import FoundDamage
from signalbox.store.cold.moves.places import ColdPlaces
from signalbox.store.contract.values import ColdTask
from signalbox.store.sql.views import Views

if TYPE_CHECKING:
    # Most programs read no task in cold storage, and these modules take long to load.
    from signalbox.store.cold.cache import ColdCache
    from signalbox.store.cold.cached_file import CachedFile
    from signalbox.store.cold.view import ColdView

THREADS = 8
"""Reads of cold files at the same time. They have threads of their own, so that a slow bucket delays nothing else."""


def load_modules() -> None:
    """Load the modules that read cold files, which takes as long as a page. Otherwise the first read loads them."""
    import signalbox.store.cold.cache
    import signalbox.store.cold.temporary
    import signalbox.store.cold.view  # noqa: F401


class ColdFileReaders:
    """Implements `ColdReaders` of `store.sql.cold_reading` for the files of one store."""

    def __init__(self, places: ColdPlaces, found_damage: FoundDamage) -> None:
        self._places, self._found_damage = places, found_damage
        self._process = 0
        self._cache: ColdCache | None = None
        self._executor: ThreadPoolExecutor | None = None

    def _opened(self) -> tuple[ColdCache, ThreadPoolExecutor]:
        """Return the cache and the threads of this process."""
        if self._cache is None or self._executor is None or self._process != os.getpid():
            from signalbox.store.cold.cache import ColdCache
            from signalbox.store.cold.temporary import remove_abandoned

            # A forked process must not use the connections and threads of its parent.
            self._cache, self._process = ColdCache(), os.getpid()
            self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="signalbox-cold")
            self._executor.submit(remove_abandoned)
        return self._cache, self._executor

    async def view(self, task: ColdTask, hot: Views) -> ColdView:
        """Return a view of a task in cold storage. The caller calls `release`."""
        from signalbox.store.cold.view import ColdView

        place = self._places.open(task.place)
        cache, executor = self._opened()
        cached = cache.ready(place, task.name, task.sha256)
        if cached is None:
            loop = asyncio.get_running_loop()
            opening = loop.run_in_executor(executor, cache.open, place, task.name, task.sha256)
            try:
                with self._found_damage.noting():
                    cached = await asyncio.shield(opening)
            except asyncio.CancelledError:
                opening.add_done_callback(self._release_opened)
                raise
        return ColdView(cached, hot, executor, self._found_damage)

    def _release_opened(self, opened: asyncio.Future[CachedFile]) -> None:
        """Release a file that was opened for a read that was cancelled meanwhile."""
        if self._cache is not None and not opened.cancelled() and opened.exception() is None:
            self._cache.release(opened.result())

    def release(self, view: Views) -> None:
        """Say that a view is no longer used."""
        if self._cache is not None:
            self._cache.release(view.cached)  # type: ignore[attr-defined]

    def close(self) -> None:
        """Close all files."""
        if self._process == os.getpid():
            if self._cache is not None:
                self._cache.close()
            if self._executor is not None:
                self._executor.shutdown(wait=False)
        self._cache = self._executor = None
